"""Tests of the table of user metrics."""

from typing import Any

from turnabout.report.figures import Figure
from turnabout.report.user_table import METRICS, build_rows, list_models

USER: dict[str, Any] = {
    "perplexity": {"trained": {"with_intent": {"value": 20.0, "low": 18.0, "high": 23.0, "n": 7}}},
    "first_turn_diversity": {"human": {"value": 94.0, "low": None, "high": None, "n": 3}},
    "termination": {
        "trained": {"f1": {"value": None, "low": None, "high": None, "n": 0, "reason": "no conversation ended"}}
    },
}


def test_build_rows_gives_a_row_per_metric_with_people_where_measured() -> None:
    rows = {row.metric.name: row for row in build_rows(USER, ["trained"])}
    assert len(rows) == len(METRICS) == 12
    assert rows["perplexity, with the intent"].figures["trained"][:4] == (20.0, 18.0, 23.0, 7)
    assert rows["perplexity, with the intent"].human is None
    assert rows["first-turn diversity, %"].human == Figure(94.0, None, None, 3)
    assert rows["dialogue termination, F1 at the best threshold"].figures["trained"].reason == "no conversation ended"
    assert rows["naturalness, %"].human == Figure(None)


def test_list_models_returns_the_models_that_played() -> None:
    assert list_models(USER) == ["trained"]
    assert list_models({}) == []
