"""Cohen's kappa against scikit-learn, unweighted and weighted."""

import pytest
from sklearn.metrics import cohen_kappa_score

from turnabout.stats.estimate import Bootstrap
from turnabout.stats.kappa import estimate_kappa

FIRST, SECOND = [1, 1, 1, 0, 0, 0, 0, 1, 0, 0], [1, 1, 0, 0, 0, 1, 0, 1, 0, 0]
USERS = [f"u{i}" for i in range(10)]


def test_kappa_is_cohens() -> None:
    estimate = estimate_kappa(FIRST, SECOND, weight=[1.0] * 10, users=USERS, bootstrap=Bootstrap(200, seed=1))
    assert estimate.value == pytest.approx(cohen_kappa_score(FIRST, SECOND))
    assert estimate.value is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


def test_kappa_counts_each_case_by_its_weight() -> None:
    weight = [3.0, 1, 1, 1, 2, 1, 1, 1, 1, 1]
    expected = cohen_kappa_score(FIRST, SECOND, sample_weight=weight)
    estimate = estimate_kappa(FIRST, SECOND, weight=weight, users=USERS, bootstrap=Bootstrap(10, seed=1))
    assert estimate.value == pytest.approx(expected)


def test_kappa_is_null_when_both_judgements_are_constant() -> None:
    estimate = estimate_kappa([1, 1], [1, 1], weight=[1, 1], users=["a", "b"], bootstrap=Bootstrap(10, seed=1))
    assert estimate.value is None
