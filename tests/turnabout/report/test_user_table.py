"""The table of user metrics: a row per metric, the people's column, and what was not measured."""

from typing import Any

from turnabout.report.figures import Figure
from turnabout.report.user_table import METRICS, list_models, build_rows

USER: dict[str, Any] = {
    "perplexity": {"trained": {"with_intent": {"value": 20.0, "low": 18.0, "high": 23.0, "n": 7}}},
    "first_turn_diversity": {"human": {"value": 94.0, "low": None, "high": None, "n": 3}},
    "termination": {"trained": {"f1": {"value": None, "low": None, "high": None, "n": 0, "reason": "nobody left"}}},
}


def test_a_row_per_metric_with_people_where_they_have_a_value() -> None:
    found = {row.metric.name: row for row in build_rows(USER, ["trained"])}
    assert len(found) == len(METRICS) == 12
    assert found["perplexity, told the intent"].figures["trained"][:4] == (20.0, 18.0, 23.0, 7)
    assert found["perplexity, told the intent"].human is None
    assert found["first-turn diversity, %"].human == Figure(94.0, None, None, 3)
    assert found["dialogue termination, F1 at the best threshold"].figures["trained"].reason == "nobody left"
    assert found["naturalness, %"].human == Figure(None)


def test_the_models_are_those_that_played() -> None:
    assert list_models(USER) == ["trained"]
    assert list_models({}) == []
