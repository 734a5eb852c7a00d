"""The table of all intrinsic metrics of user models, next to people's value."""

from collections.abc import Sequence
from typing import NamedTuple

from turnabout.report.figures import Figure, read_figure
from turnabout.report.inputs import Metrics


class Metric(NamedTuple):
    """One row of the table, and where its figures are in `metrics/user.json`.

    A figure is at `section`, the model's name, `part`.
    """

    name: str
    better: str
    """`lower`, `higher`, `like people` where neither end is good, or empty for a baseline."""
    section: str
    part: tuple[str, ...] = ()


METRICS = (
    Metric("perplexity, with the intent", "lower", "perplexity", ("with_intent",)),
    Metric("perplexity, without the intent", "lower", "perplexity", ("without_intent",)),
    Metric("bits per character, with the intent", "lower", "bits_per_character", ("with_intent",)),
    Metric("bits per character, without the intent", "lower", "bits_per_character", ("without_intent",)),
    Metric("first-turn diversity, %", "like people", "first_turn_diversity"),
    Metric("intent overlap, %", "lower", "intent_overlap"),
    Metric("dialogue termination, F1 at the best threshold", "higher", "termination", ("f1",)),
    Metric("dialogue termination, F1 of draws", "higher", "termination", ("f1_drawn",)),
    Metric("dialogue termination, F1 of always predicting the end", "", "termination", ("f1_always",)),
    Metric("naturalness, %", "like people", "naturalness"),
    Metric("role adherence, %", "higher", "role_adherence"),
    Metric("intent adherence, %", "higher", "intent_adherence"),
)

#: Sections of metrics that were measured on what people wrote themselves, too.
HUMAN_METRICS = ("first_turn_diversity", "intent_overlap", "naturalness")


class MetricRow(NamedTuple):
    """A metric with its figure of every model, and of people.

    `human` is None for a metric that people do not have.
    """

    metric: Metric
    figures: dict[str, Figure]
    human: Figure | None


def build_rows(user: Metrics, models: Sequence[str]) -> list[MetricRow]:
    """Build the table of these models, one row per metric."""
    rows = []
    for metric in METRICS:
        figures = {model: read_figure(user, metric.section, model, *metric.part) for model in models}
        human = read_figure(user, metric.section, "human") if metric.section in HUMAN_METRICS else None
        rows.append(MetricRow(metric, figures, human))
    return rows


def list_models(user: Metrics) -> list[str]:
    """Return the models that played the user in this metrics file."""
    return list(user.get("termination", {}))
