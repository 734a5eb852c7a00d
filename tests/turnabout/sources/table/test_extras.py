from datetime import UTC, datetime

from turnabout.sources.table.extras import drop_nulls


def test_nulls_are_dropped_and_other_values_become_json_values() -> None:
    at = datetime(2024, 5, 1, 8, tzinfo=UTC)
    fields = {"a": None, "b": 0, "c": "", "d": {"e": None}, "f": at, "g": float("nan"), "h": [float("inf")]}
    assert drop_nulls(**fields) == {"b": 0, "c": "", "d": {"e": None}, "f": "2024-05-01T08:00:00Z", "h": [None]}
