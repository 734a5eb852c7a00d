"""Comparison of each arm of the user model with the first one.

It uses the same messages of the same people.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.ablations.arm import EVALUATED_DETAILS, UserArm
from turnabout.metrics.perplexity import estimate_bits_saved
from turnabout.stats.estimate import Bootstrap, Estimate


class MeasuredArm(NamedTuple):
    """One arm: its entry, its metrics file and its scored messages.

    The messages are `ARM_TURNS`.
    """

    arm: UserArm
    metrics: dict[str, Any]
    turns: pl.DataFrame


def compare_arms(arms: Mapping[str, MeasuredArm], bootstrap: Bootstrap) -> dict[str, dict[str, Estimate]]:
    """Return the bits per character saved by each arm, by intent detail.

    They are saved against the first arm. The differences are paired; positive is better. Only messages that both arms
    have scored are compared, because models with different tokenizers get to different lengths.
    """
    _, first = next(iter(arms.items()))
    saved: dict[str, dict[str, Estimate]] = {}
    for name, arm in arms.items():
        saved[name] = {
            detail: estimate_bits_saved(
                _select_detail(first.turns, detail), _select_detail(arm.turns, detail), bootstrap
            )
            for detail in EVALUATED_DETAILS
        }
    return saved


def _select_detail(turns: pl.DataFrame, detail: str) -> pl.DataFrame:
    """Return the messages scored with intents of this detail.

    Their user key is the person's number.
    """
    return turns.filter(intent_detail=detail).with_columns(user_key=pl.col("person").cast(pl.String))


def format_table(arms: Mapping[str, MeasuredArm], saved: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Return the comparison as a Markdown table with a row per arm."""
    columns = (
        "arm | start | intents in training | conversations | tokens | bits per character, with intent | "
        "without intent | saved against the first, with intent | without intent | "
        "termination: F1 | of draws | of always ending"
    )
    lines = [f"| {columns} |", "|" + "---|" * len(columns.split("|"))]
    first = next(iter(arms))
    for name, arm in arms.items():
        estimates = {} if name == first else saved[name]
        lines.append("| " + " | ".join(_list_cells(name, arm, estimates)) + " |")
    bits_with_full: list[str] = []
    for name, arm in arms.items():
        if (bits := arm.metrics["bits_per_character"].get("full")) is not None:
            bits_with_full.append(f"`{name}`: {format_estimate(bits)}")
    lines.append("")
    if bits_with_full:
        lines.append(f"With full intents, as in its training: {'; '.join(bits_with_full)} bits per character.")
    return "\n".join(lines).strip() + "\n"


def _list_cells(name: str, arm: MeasuredArm, saved: Mapping[str, Estimate]) -> list[str]:
    """Return the cells of an arm's row; `saved` is empty for the first arm."""
    entry, metrics = arm.arm, arm.metrics
    bits, training, termination = metrics["bits_per_character"], metrics["training"], metrics["termination"]
    return [
        f"`{name}`",
        entry.start,
        entry.detail,
        f"{training['n_samples']:,}",
        f"{training['n_tokens']:,}",
        *(format_estimate(bits[detail]) for detail in EVALUATED_DETAILS),
        *(format_estimate(saved[detail].to_dict()) if saved else "" for detail in EVALUATED_DETAILS),
        *(format_estimate(termination[key]) for key in ("f1", "f1_drawn", "f1_always")),
    ]


def format_estimate(estimate: Mapping[str, Any]) -> str:
    """Return an estimate as a cell: value and 95 % interval, or a dash."""
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
