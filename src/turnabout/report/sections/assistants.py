"""Section "The assistants compared": figures and differences to untrained."""

from typing import Any, NamedTuple

from turnabout.report.charts import Dot, draw_intervals
from turnabout.report.figures import Figure, format_estimate, read_figure
from turnabout.report.inputs import Inputs, Metrics

SCORERS = {
    "follow_up_likelihood": "scored by the user model",
    "follow_up_likelihood_backbone": "scored by the backbone",
}


class MeasureRow(NamedTuple):
    """One measure with its figure per assistant or arm.

    `term` is the key of the glossary entry that explains it, or empty.
    """

    measure: str
    term: str
    figures: list[Figure]


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return both tables and the chart of differences.

    The chart is None where nothing was measured.
    """
    scores, arms = inputs.metrics.get("assistants", {}), list(inputs.arms)
    return {
        "assistants": inputs.assistants,
        "arms": arms,
        "levels": list_levels(scores, inputs.assistants, arms),
        "differences": list_differences(scores, arms),
        "chart_of_differences": draw_differences(scores, arms),
    }


def list_levels(scores: Metrics, assistants: list[str], arms: list[str]) -> list[MeasureRow]:
    """Return one row per measure, with one figure per assistant."""

    def build_row(measure: str, term: str, *path: str) -> MeasureRow:
        return MeasureRow(measure, term, [read_figure(scores, assistant, *path) for assistant in assistants])

    likelihood, term = "follow_up_likelihood", "follow-up-likelihood"
    return [
        build_row("follow-up likelihood, scored by the user model", term, likelihood, "user"),
        build_row("follow-up likelihood, scored by the backbone", term, likelihood, "backbone"),
        build_row("reply length, characters", "", "reply_characters"),
        *(build_row(f"reward, learned from the {arm} pairs", "reward", "reward", arm) for arm in arms),
        *(build_row(f"ranking accuracy on {arm} pairs", "ranking-accuracy", "ranking_accuracy", arm) for arm in arms),
    ]


def list_differences(scores: Metrics, arms: list[str]) -> list[MeasureRow]:
    """Return one row per measure, with one difference to untrained per arm."""

    def build_row(measure: str, term: str, *path: str) -> MeasureRow:
        return MeasureRow(measure, term, [read_figure(scores, arm, "versus_untrained", *path) for arm in arms])

    return [
        *(build_row(f"follow-up likelihood, {by}", "follow-up-likelihood", key) for key, by in SCORERS.items()),
        build_row("reply length, characters", "", "reply_characters"),
        *(build_row(f"reward, learned from the {arm} pairs", "reward", "reward", arm) for arm in arms),
    ]


def draw_differences(scores: Metrics, arms: list[str]) -> Any:
    """Draw the differences in follow-up likelihood to the untrained assistant.

    There is one row per arm and scorer; a difference inside the noise is grey. Returns None where nothing was measured.
    """
    dots = []
    for arm in arms:
        for key, by in SCORERS.items():
            difference = read_figure(scores, arm, "versus_untrained", key)
            if difference.value is not None:
                dots.append(Dot(f"{arm}\n{by}", difference, -1 if difference.verdict == "inside the noise" else 0))
    if not dots:
        return None
    listed = "; ".join(f"{dot.label}: {format_estimate(dot.figure, signed=True)}, {dot.figure.verdict}" for dot in dots)
    alt = f"Difference in follow-up likelihood to the untrained assistant. {listed}".replace("\n", ", ")
    unit = "difference to untrained, nats per token (right is better)"
    return draw_intervals("forest", alt, dots, unit, zero=True)
