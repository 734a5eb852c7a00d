"""Leaving against counts made by hand and scikit-learn's F1."""

import polars as pl
import pytest
from sklearn.metrics import f1_score

from turnabout.metrics.termination import best_threshold, termination
from turnabout.metrics.user_turns import DECISIONS


def decisions(*rows: tuple[str, float, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f"talk of {user}", user, i, p_end, left) for i, (user, p_end, left) in enumerate(rows)],
        schema=DECISIONS,
        orient="row",
    )


MIXED = decisions(("ann", 0.9, True), ("ann", 0.6, False), ("bob", 0.5, True), ("bob", 0.2, False), ("cyd", 0.1, True))


def test_the_threshold_maximises_f1_on_the_conversations_it_is_chosen_on() -> None:
    # From 0.5 on: 2 right, 1 wrong, 1 missed: F1 4/6. From 0.9: 2/4. From 0.1 all: 6/8, the best.
    assert best_threshold(MIXED) == 0.1
    assert max(f1_score(MIXED["left"], MIXED["p_end"] >= t) for t in MIXED["p_end"]) == pytest.approx(0.75)


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    # From 0.5 on 2/2 right; 0.4 adds a right and a wrong one, … F1 at 0.8: 2/3, at 0.3: 4/6.
    equal = decisions(("a", 0.8, True), ("b", 0.5, False), ("c", 0.4, False), ("d", 0.3, True))
    assert best_threshold(equal) == 0.8


def test_precision_recall_and_f1_at_a_threshold() -> None:
    found = termination(MIXED, 0.5, 100, 1)
    assert found["precision"].value == pytest.approx(2 / 3)
    assert found["recall"].value == pytest.approx(2 / 3)
    assert found["f1"].value == pytest.approx(f1_score(MIXED["left"], MIXED["p_end"] >= 0.5))


def test_leaving_by_draws_is_the_f1_of_the_counts_to_be_expected() -> None:
    # Left at 0.9, 0.5 and 0.1: expected right 1.5, missed 1.5; went on at 0.6 and 0.2: expected wrong 0.8.
    assert termination(MIXED, 0.5, 100, 1)["f1_drawn"].value == pytest.approx(2 * 1.5 / (2 * 1.5 + 0.8 + 1.5))
    assert termination(MIXED, None, 100, 1)["f1_drawn"].value == pytest.approx(3 / 5.3)
    sure = MIXED.with_columns(p_end=(pl.col("p_end") >= 0.5).cast(pl.Float64))
    assert termination(sure, 0.5, 100, 1)["f1_drawn"] == termination(sure, 0.5, 100, 1)["f1"]


def test_leaving_always_has_the_f1_of_a_classifier_that_says_yes() -> None:
    assert termination(MIXED, 0.5, 100, 1)["f1_always"].value == pytest.approx(f1_score(MIXED["left"], [True] * 5))


def test_a_model_that_never_leaves_has_no_precision_and_no_recall() -> None:
    found = termination(MIXED, 0.95, 100, 1)
    assert found["precision"].value is None
    assert (found["recall"].value, found["f1"].value) == (0.0, 0.0)


def test_where_nobody_left_there_is_a_reason_instead_of_a_figure() -> None:
    stayed = MIXED.with_columns(left=False)
    assert best_threshold(stayed) is None
    assert termination(MIXED, None, 10, 1)["f1"].reason == (
        "nobody left in the validation conversations: no threshold to choose"
    )
    assert termination(stayed, 0.5, 10, 1)["recall"].reason == "nobody left in the test conversations"
    assert best_threshold(MIXED.clear()) is None
