"""Arms of the user model side by side: each beside the first, on the same messages of the same people."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.ablations.arm import TOLD, UserArm
from turnabout.metrics.perplexity import bits_saved
from turnabout.stats.estimate import Estimate


class Measured(NamedTuple):
    """One arm: its entry, the figures in its metrics file, and the messages behind them (`arm.TURNS`)."""

    arm: UserArm
    metrics: dict[str, Any]
    turns: pl.DataFrame


def compare(arms: Mapping[str, Measured], resamples: int, seed: int) -> dict[str, dict[str, Estimate]]:
    """Bits per character each arm needs less than the first one, by what they were told (paired; positive is better).

    Only messages that both have read are compared: models with different tokenizers get differently far.
    """
    _, first = next(iter(arms.items()))
    return {
        name: {told: bits_saved(_told(first.turns, told), _told(each.turns, told), resamples, seed) for told in TOLD}
        for name, each in arms.items()
    }


def _told(turns: pl.DataFrame, told: str) -> pl.DataFrame:
    return turns.filter(told=told).with_columns(user_key=pl.col("person").cast(pl.String))


def table(arms: Mapping[str, Measured], saved: Mapping[str, Mapping[str, Estimate]]) -> str:
    """The comparison in Markdown, a row per arm."""
    columns = (
        "arm | start | trained with intents | conversations | tokens | bits per character, told the intent | "
        "not told | saved against the first, told | not told | leaving: F1 | of draws | of always leaving"
    )
    lines = [f"| {columns} |", "|" + "---|" * len(columns.split("|"))]
    for name, (arm, metrics, _) in arms.items():
        bits, training = metrics["bits_per_character"], metrics["training"]
        cells = [
            f"`{name}`",
            arm.start,
            arm.detail,
            f"{training['n_samples']:,}",
            f"{training['n_tokens']:,}",
            *(shown(bits[told]) for told in TOLD),
            *("" if name == next(iter(arms)) else shown(saved[name][told].to_dict()) for told in TOLD),
            *(shown(metrics["termination"][name]) for name in ("f1", "f1_drawn", "f1_always")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    own = {name: each.metrics["bits_per_character"] for name, each in arms.items()}
    told_all = [f"`{name}`: {shown(bits['full'])}" for name, bits in own.items() if "full" in bits]
    notes = [f"Told full intents, as in its training: {'; '.join(told_all)} bits per character."] if told_all else []
    return "\n".join([*lines, "", *notes]).strip() + "\n"


def shown(estimate: Mapping[str, Any]) -> str:
    """An estimate as a cell: value and 95 % interval, or a dash."""
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
