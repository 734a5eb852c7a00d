"""Every intrinsic metric of models of the user in one table, beside people's own value where they have one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from turnabout.report.figures import Figure, read_figure
from turnabout.report.inputs import Metrics


class Metric(NamedTuple):
    """One row of the table: where its figures are in `metrics/user.json`, before and after the model's name."""

    name: str
    better: str
    """`lower`, `higher`, or `like people` where neither end is good."""
    section: str
    part: tuple[str, ...] = ()


METRICS = (
    Metric("perplexity, told the intent", "lower", "perplexity", ("with_intent",)),
    Metric("perplexity, told nothing", "lower", "perplexity", ("without_intent",)),
    Metric("bits per character, told the intent", "lower", "bits_per_character", ("with_intent",)),
    Metric("bits per character, told nothing", "lower", "bits_per_character", ("without_intent",)),
    Metric("first-turn diversity, %", "like people", "first_turn_diversity"),
    Metric("intent overlap, %", "lower", "intent_overlap"),
    Metric("dialogue termination, F1 at the best threshold", "higher", "termination", ("f1",)),
    Metric("dialogue termination, F1 of draws", "higher", "termination", ("f1_drawn",)),
    Metric("dialogue termination, F1 of always leaving", "", "termination", ("f1_always",)),
    Metric("naturalness, %", "like people", "naturalness"),
    Metric("role adherence, %", "higher", "role_adherence"),
    Metric("intent adherence, %", "higher", "intent_adherence"),
)

#: Metrics that were measured on what people wrote themselves, too.
HUMAN_METRICS = ("first_turn_diversity", "intent_overlap", "naturalness")


class MetricRow(NamedTuple):
    """A metric with its figure of every model, and of people (None where they have none)."""

    metric: Metric
    figures: dict[str, Figure]
    human: Figure | None


def build_rows(user: Metrics, models: Sequence[str]) -> list[MetricRow]:
    """The table of these models, one row per metric."""
    return [
        MetricRow(
            metric,
            {model: read_figure(user, metric.section, model, *metric.part) for model in models},
            read_figure(user, metric.section, "human") if metric.section in HUMAN_METRICS else None,
        )
        for metric in METRICS
    ]


def list_models(user: Metrics) -> list[str]:
    """The models that played the user in this metrics file."""
    found: dict[str, Any] = user.get("termination", {})
    return list(found)
