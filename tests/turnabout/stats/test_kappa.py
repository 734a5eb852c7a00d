"""Cohen's kappa against scikit-learn, unweighted and weighted."""

import pytest
from sklearn.metrics import cohen_kappa_score

from turnabout.stats.kappa import kappa

ONES, OTHERS = [1, 1, 1, 0, 0, 0, 0, 1, 0, 0], [1, 1, 0, 0, 0, 1, 0, 1, 0, 0]
PEOPLE = [f"u{i}" for i in range(10)]


def test_kappa_is_cohens() -> None:
    estimate = kappa(ONES, OTHERS, [1.0] * 10, PEOPLE, resamples=200, seed=1)
    assert estimate.value == pytest.approx(cohen_kappa_score(ONES, OTHERS))
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


def test_a_case_counts_as_often_as_it_weighs() -> None:
    weight = [3.0, 1, 1, 1, 2, 1, 1, 1, 1, 1]
    expected = cohen_kappa_score(ONES, OTHERS, sample_weight=weight)
    assert kappa(ONES, OTHERS, weight, PEOPLE, resamples=10, seed=1).value == pytest.approx(expected)


def test_two_that_always_say_the_same_one_thing_have_no_kappa() -> None:
    assert kappa([1, 1], [1, 1], [1, 1], ["a", "b"], resamples=10, seed=1).value is None
