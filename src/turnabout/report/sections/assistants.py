"""The assistants compared: every figure with its interval, and every difference to untrained with its verdict."""

from typing import Any, NamedTuple

from turnabout.report.charts import Dot, draw_intervals
from turnabout.report.figures import Figure, read_figure, format_figure
from turnabout.report.inputs import Inputs, Metrics

SCORERS = {
    "follow_up_likelihood": "scored by the user model",
    "follow_up_likelihood_backbone": "scored by the backbone",
}


class MeasureRow(NamedTuple):
    """One measure: its name, the term of the glossary that explains it, and its figure per assistant or arm."""

    measure: str
    term: str
    figures: list[Figure]


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Both tables, and the chart of differences (None where nothing was measured)."""
    scores = inputs.metrics.get("assistants", {})
    return {
        "assistants": inputs.assistants,
        "arms": list(inputs.arms),
        "levels": list_levels(scores, inputs.assistants, list(inputs.arms)),
        "differences": list_differences(scores, list(inputs.arms)),
        "forest": draw_differences(scores, list(inputs.arms)),
    }


def list_levels(scores: Metrics, assistants: list[str], arms: list[str]) -> list[MeasureRow]:
    """One row per measure, one figure per assistant."""

    def row(measure: str, term: str, *path: str) -> MeasureRow:
        return MeasureRow(measure, term, [read_figure(scores, assistant, *path) for assistant in assistants])

    return [
        row("follow-up likelihood, scored by the user model", "follow-up-likelihood", "follow_up_likelihood", "user"),
        row("follow-up likelihood, scored by the backbone", "follow-up-likelihood", "follow_up_likelihood", "backbone"),
        row("reply length, characters", "", "reply_characters"),
        *(row(f"reward, learned from the {arm} pairs", "reward", "reward", arm) for arm in arms),
        *(row(f"ranking accuracy on {arm} pairs", "ranking-accuracy", "ranking_accuracy", arm) for arm in arms),
    ]


def list_differences(scores: Metrics, arms: list[str]) -> list[MeasureRow]:
    """One row per measure, one difference to the untrained assistant per arm."""

    def row(measure: str, term: str, *path: str) -> MeasureRow:
        return MeasureRow(measure, term, [read_figure(scores, arm, "versus_untrained", *path) for arm in arms])

    return [
        *(row(f"follow-up likelihood, {told}", "follow-up-likelihood", key) for key, told in SCORERS.items()),
        row("reply length, characters", "", "reply_characters"),
        *(row(f"reward, learned from the {arm} pairs", "reward", "reward", arm) for arm in arms),
    ]


def draw_differences(scores: Metrics, arms: list[str]) -> Any:
    """Differences in follow-up likelihood to the untrained assistant under both scorers; what is noise is grey."""
    rows = [
        Dot(f"{arm}\n{told}", found, -1 if found.verdict == "inside the noise" else 0)
        for arm in arms
        for key, told in SCORERS.items()
        if (found := read_figure(scores, arm, "versus_untrained", key)).value is not None
    ]
    if not rows:
        return None
    told = "; ".join(f"{row.label}: {format_figure(row.figure, signed=True)}, {row.figure.verdict}" for row in rows)
    alt = f"Difference in follow-up likelihood to the untrained assistant. {told}".replace("\n", ", ")
    return draw_intervals("forest", alt, rows, "difference to untrained, nats per token (right is better)", zero=True)
