from datetime import UTC, datetime

from turnabout.sources.table.extras import known


def test_nulls_are_left_out_and_the_rest_is_as_json_holds_it() -> None:
    at = datetime(2024, 5, 1, 8, tzinfo=UTC)
    fields = {"a": None, "b": 0, "c": "", "d": {"e": None}, "f": at, "g": float("nan"), "h": [float("inf")]}
    assert known(**fields) == {"b": 0, "c": "", "d": {"e": None}, "f": "2024-05-01T08:00:00Z", "h": [None]}
