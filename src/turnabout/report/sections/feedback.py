"""Feedback found: how much of each kind, and exchanges in which it can be read."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.report.charts import draw_bars
from turnabout.report.evidence import Evidence, locate_span
from turnabout.report.figures import read_figure
from turnabout.report.inputs import Inputs

MEASURES = ("precision", "recall", "kappa")
LABELS = {"sat": "Satisfied", "dsat": "Dissatisfied"}
CATEGORIES = {
    "rephrase": "asks again in other words",
    "correction": "says what is wrong and what is right",
    "complaint": "says that it is wrong",
    "clarification": "asks for clarification",
    "revision": "asks for another form of the reply",
    "positive": "thanks or praises",
    "rating": "rates the reply",
    "reaction": "reacts with a symbol",
    "edit": "rewrites the reply",
    "regeneration": "asks for another reply",
    "preference": "prefers it to another reply, or another to it",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """The counts, their chart (None without a signal), and example exchanges by label."""
    shown = {label: select_exchanges(inputs.messages, inputs.feedback, label, inputs.examples) for label in LABELS}
    return {
        "mine": inputs.metrics.get("mine", {}),
        "n_signals": inputs.feedback.height,
        "chart": draw_signals(inputs.feedback),
        "labels": LABELS,
        "categories": CATEGORIES,
        "examples": shown,
        "accuracy": list_accuracies(inputs.metrics.get("mine", {}).get("accuracy", {})),
    }


def list_accuracies(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per finder and label, all decisions first, then miner by miner; none where nobody labelled a sample."""
    finders = {"all together": measured.get("decisions", {}), **measured.get("miners", {})}
    return [
        {"finder": finder, "label": label, **{name: read_figure(figures, name) for name in MEASURES}}
        for finder, labels in finders.items()
        for label, figures in labels.items()
    ]


def draw_signals(feedback: pl.DataFrame) -> Any:
    """Bars of signals by category, satisfaction on top; None without a signal."""
    if feedback.is_empty():
        return None
    counts = (
        feedback.group_by("label", "category")
        .len()
        .sort("label", "len", "category", descending=[True, True, False])
        .select("category", "label", "len")
        .rows()
    )
    told = ", ".join(f"{category} ({label}) {n}" for category, label, n in counts)
    named = [(CATEGORIES.get(category, category), label, n) for category, label, n in counts]
    return draw_bars("signals", f"Signals by kind: {told}", named, "signals")


def select_exchanges(messages: pl.DataFrame, feedback: pl.DataFrame, label: str, most: int) -> list[dict[str, Any]]:
    """At most `most` exchanges with a signal of this label: categories in turn, the most confident of each first.

    Within a category, words or a conversation shown before come after all that were not: "Exactly!" six times teaches
    little.
    """
    ranked = (
        feedback.filter(pl.col("label") == label)
        .sort("confidence", "conversation_id", "reply_index", "miner", descending=[True, False, False, False])
        .unique(REPLY_KEY, keep="first", maintain_order=True)
        .with_columns(
            repeat=pl.max_horizontal(
                pl.int_range(pl.len()).over("category", pl.col("span").str.to_lowercase()),
                pl.int_range(pl.len()).over("category", "conversation_id"),
            )
        )
        .sort("repeat", maintain_order=True)
        .with_columns(rank=pl.int_range(pl.len()).over("category"))
        .sort("rank", "category")
        .head(most)
    )
    talk = messages.join(ranked, on="conversation_id", how="semi")
    found = ranked.join(
        build_exchanges(talk).drop("evidence_index"), on=REPLY_KEY, maintain_order="left"
    )
    return [{**row, "evidence": find_evidence(row)} for row in found.to_dicts()]


def find_evidence(row: dict[str, Any]) -> Evidence | None:
    """Where the follow-up gives it away; None where the signal sits on the reply itself (a rating, an edit)."""
    return None if row["evidence_index"] == row["reply_index"] else locate_span(row["span"], row["follow_up"])
