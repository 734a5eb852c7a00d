"""Metrics of a table of intents."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.intents.figures import summarize_intents
from turnabout.intents.wording import FALLBACK, NO_INTENT, PREFIX


def make_intents(*rows: tuple[str, str | None, int, bool, bool, str | None]) -> pl.DataFrame:
    """Return intents from rows without the conversation."""
    return pl.DataFrame([("c", *row) for row in rows], schema=schemas.INTENTS, orient="row")


def test_summarize_intents_counts_leaks_lengths_and_fallbacks() -> None:
    summary = summarize_intents(
        make_intents(
            (PREFIX + "a tap.", "m", 1, False, False, None),
            (PREFIX + "one, two, three four.", "m", 2, True, False, None),
            (FALLBACK, "fallback", 3, True, True, "leak"),
            (FALLBACK, "fallback", 3, False, False, "cut off"),
        ),
        "high_level",
    )
    assert (summary["detail"], summary["n_intents"], summary["n_asked_again"], summary["n_fallback"]) == (
        "high_level",
        4,
        3,
        2,
    )
    assert summary["fallback_by_reason"] == {"cut off": 1, "leak": 1}
    # Wilson's interval of 2 in 4: (2 + z²/2 ± z √(2·2/4 + z²/4)) / (4 + z²), z = 1.96
    assert summary["leaks"]["first_answers"] == pytest.approx(
        {"value": 0.5, "low": 0.1500, "high": 0.8500, "n": 4}, abs=1e-4
    )
    assert summary["leaks"]["last_answers"]["value"] == 0.25
    assert summary["words"] == pytest.approx({"mean": 3, "p05": 2.1, "p50": 3, "p95": 3.9})  # lengths 2 and 4


def test_summarize_intents_has_no_rates_and_lengths_in_detail_none() -> None:
    summary = summarize_intents(make_intents((NO_INTENT, None, 0, False, False, None)), "none")
    assert (summary["n_intents"], summary["n_fallback"], summary["leaks"]["first_answers"]["value"]) == (1, 0, None)
    assert summary["words"] == dict.fromkeys(("mean", "p05", "p50", "p95"))
