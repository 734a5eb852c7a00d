"""Section "Feedback found": counts, accuracy and examples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.report.charts import draw_bars
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
    "preference": "prefers it to another reply, or another reply to it",
}


class Evidence(NamedTuple):
    """A message split at the evidence, which is quoted verbatim."""

    before: str
    span: str
    after: str


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the counts, their chart, the accuracy and example exchanges.

    The chart is None if there is no signal.
    """
    mine = inputs.metrics.get("mine", {})
    return {
        "mine": mine,
        "chart_of_signals": draw_signals(inputs.feedback),
        "labels": LABELS,
        "categories": CATEGORIES,
        "examples": {
            label: select_exchanges(inputs.messages, inputs.feedback, label, inputs.examples) for label in LABELS
        },
        "accuracies": list_accuracies(mine.get("accuracy", {})),
    }


def list_accuracies(accuracy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per finder and label.

    The decisions of all miners together come first, then the miners. There are no rows if nobody labelled a sample.
    """
    finders = {"all together": accuracy.get("decisions", {}), **accuracy.get("miners", {})}
    rows: list[dict[str, Any]] = []
    for finder, labels in finders.items():
        for label, figures in labels.items():
            measures = {name: read_figure(figures, name) for name in MEASURES}
            rows.append({"finder": finder, "label": label, **measures})
    return rows


def draw_signals(feedback: pl.DataFrame) -> Any:
    """Draw the number of signals by category, satisfaction on top.

    Returns None if there is no signal.
    """
    if feedback.is_empty():
        return None
    counts = (
        feedback.group_by("label", "category")
        .len()
        .sort("label", "len", "category", descending=[True, True, False])
        .select("category", "label", "len")
        .rows()
    )
    listed = ", ".join(f"{category} ({label}) {n}" for category, label, n in counts)
    bars = [(CATEGORIES.get(category, category), label, n) for category, label, n in counts]
    return draw_bars("signals", f"Signals by kind: {listed}", bars, "signals")


def select_exchanges(
    messages: pl.DataFrame, feedback: pl.DataFrame, label: str, max_exchanges: int
) -> list[dict[str, Any]]:
    """Return example exchanges with a signal of this label.

    The categories take turns; within a category the most confident signals come first, but a span or a conversation
    that was shown before comes after all that were not: "Exactly!" six times teaches little.
    """
    ranked = (
        feedback.filter(pl.col("label") == label)
        .sort("confidence", *REPLY_KEY, "miner", descending=[True, False, False, False])
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
        .head(max_exchanges)
    )
    exchanges = build_exchanges(messages.join(ranked, on="conversation_id", how="semi")).drop("evidence_index")
    examples = ranked.join(exchanges, on=REPLY_KEY, maintain_order="left")
    return [{**row, "evidence": find_evidence(row)} for row in examples.to_dicts()]


def find_evidence(row: Mapping[str, Any]) -> Evidence | None:
    """Return the follow-up split at the evidence.

    Returns None if the signal is on the reply itself (a rating, an edit).
    """
    return None if row["evidence_index"] == row["reply_index"] else locate_span(row["span"], row["follow_up"])


def locate_span(span: str | None, text: str | None) -> Evidence | None:
    """Split the text at the first occurrence of the span.

    Returns None if the span is not in the text (a rating, a reaction, an edit).
    """
    if not span or not text or span not in text:
        return None
    before, _, after = text.partition(span)
    return Evidence(before, span, after)
