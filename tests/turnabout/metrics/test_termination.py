"""Termination against counts made by hand and scikit-learn's F1."""

import polars as pl
import pytest
from sklearn.metrics import f1_score

from turnabout.metrics.termination import choose_threshold, estimate_termination
from turnabout.metrics.user_turns import END_DECISIONS
from turnabout.stats.estimate import Bootstrap


def decisions(*rows: tuple[str, float, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f"talk of {user}", user, i, p_end, ended) for i, (user, p_end, ended) in enumerate(rows)],
        schema=END_DECISIONS,
        orient="row",
    )


BOOTSTRAP = Bootstrap(100, seed=1)

MIXED = decisions(("ann", 0.9, True), ("ann", 0.6, False), ("bob", 0.5, True), ("bob", 0.2, False), ("cyd", 0.1, True))


def test_choose_threshold_maximises_f1() -> None:
    # From 0.5 on, 2 true positives, 1 false positive and 1 false negative: F1 4/6. From 0.9: 2/4. From 0.1: 6/8.
    assert choose_threshold(MIXED) == 0.1
    assert max(f1_score(MIXED["ended"], MIXED["p_end"] >= t) for t in MIXED["p_end"]) == pytest.approx(0.75)


def test_choose_threshold_takes_the_highest_of_equal_ones() -> None:
    # F1 at 0.8: 1 true positive, 1 false negative, 2/3; at 0.3: 2 true positives, 2 false positives, 4/6.
    equal = decisions(("a", 0.8, True), ("b", 0.5, False), ("c", 0.4, False), ("d", 0.3, True))
    assert choose_threshold(equal) == 0.8


def test_estimates_precision_recall_and_f1_at_a_threshold() -> None:
    estimates = estimate_termination(MIXED, 0.5, BOOTSTRAP)
    assert estimates["precision"].value == pytest.approx(2 / 3)
    assert estimates["recall"].value == pytest.approx(2 / 3)
    assert estimates["f1"].value == pytest.approx(f1_score(MIXED["ended"], MIXED["p_end"] >= 0.5))


def test_f1_drawn_is_the_f1_of_expected_counts() -> None:
    # Ended at 0.9, 0.5 and 0.1: 1.5 true positives and 1.5 false negatives expected; went on at 0.6 and 0.2: 0.8 false
    # positives expected.
    assert estimate_termination(MIXED, 0.5, BOOTSTRAP)["f1_drawn"].value == pytest.approx(
        2 * 1.5 / (2 * 1.5 + 0.8 + 1.5)
    )
    assert estimate_termination(MIXED, None, BOOTSTRAP)["f1_drawn"].value == pytest.approx(3 / 5.3)
    sure = MIXED.with_columns(p_end=(pl.col("p_end") >= 0.5).cast(pl.Float64))
    assert estimate_termination(sure, 0.5, BOOTSTRAP)["f1_drawn"] == estimate_termination(sure, 0.5, BOOTSTRAP)["f1"]


def test_f1_always_is_the_f1_of_always_predicting_an_end() -> None:
    assert estimate_termination(MIXED, 0.5, BOOTSTRAP)["f1_always"].value == pytest.approx(
        f1_score(MIXED["ended"], [True] * 5)
    )


def test_model_that_never_ends_has_no_precision_and_recall_zero() -> None:
    estimates = estimate_termination(MIXED, 0.95, BOOTSTRAP)
    assert estimates["precision"].value is None
    assert (estimates["recall"].value, estimates["f1"].value) == (0.0, 0.0)


def test_estimates_are_null_with_a_reason_when_no_conversation_ended() -> None:
    not_ended = MIXED.with_columns(ended=False)
    assert choose_threshold(not_ended) is None
    assert estimate_termination(MIXED, None, BOOTSTRAP)["f1"].reason == (
        "no person ended a validation conversation: no threshold to choose"
    )
    assert estimate_termination(not_ended, 0.5, BOOTSTRAP)["recall"].reason == "no person ended a test conversation"
    assert choose_threshold(MIXED.clear()) is None
