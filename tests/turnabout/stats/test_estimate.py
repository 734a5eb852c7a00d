"""The bootstrap over users against cases small enough to enumerate, and against SciPy where nobody is clustered."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from turnabout.stats.estimate import Estimate, difference, mean, multiplicities, nothing, ratio, statistic


def test_two_users_have_an_interval_from_the_one_alone_to_the_other_alone() -> None:
    # ann: 1/2 and 3/2 → 4/4 = 1; bob: 2/1 = 2. Resamples: ann twice (¼) 1, both (½) 6/5, bob twice (¼) 2.
    estimate = ratio([1, 3, 2], [2, 2, 1], ["ann", "ann", "bob"], 2000, 1)
    assert estimate == Estimate(6 / 5, 1.0, 2.0, 3)


def test_cases_of_one_person_are_drawn_together() -> None:
    # Each person says 0 and 1 once: whoever is drawn, the mean is one half. Drawn one by one it would vary.
    users = [f"user {i}" for i in range(20) for _ in (0, 1)]
    assert mean([0, 1] * 20, users, 500, 1) == Estimate(0.5, 0.5, 0.5, 40)


def test_without_clusters_the_interval_is_the_percentile_bootstrap() -> None:
    values = np.random.default_rng(3).exponential(size=60)
    ours = mean(values, [str(i) for i in range(60)], 20_000, 1)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=width / 50),
        pytest.approx(theirs.high, abs=width / 50),
    )


def test_a_paired_difference_cancels_what_makes_a_person_hard() -> None:
    # Per person 1, 2, …, 30 against exactly 0.5 less: the difference is 0.5 whoever is drawn, however wide each is.
    users = [str(i) for i in range(30)]
    hard, n = np.arange(1.0, 31.0), np.ones(30)
    estimate = difference((hard, n), (hard - 0.5, n), users, 300, 1)
    assert estimate[:3] == pytest.approx((0.5, 0.5, 0.5))


def test_any_statistic_of_sums() -> None:
    # F1 from 2 true positives, 1 false positive, 3 false negatives: 4 / (4 + 1 + 3) = 0.5
    columns = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    f1 = statistic(columns, lambda s: 2 * s[:, 0] / (2 * s[:, 0] + s[:, 1] + s[:, 2]), ["a", "b", "c"], 100, 1)
    assert f1.value == pytest.approx(0.5)


def test_every_resample_holds_as_many_users_as_there_are() -> None:
    drawn = multiplicities(7, 50, 1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    users = [str(i) for i in range(9)]
    assert mean(range(9), users, 50, 4) == mean(range(9), users, 50, 4)
    assert mean(range(9), users, 50, 4) != mean(range(9), users, 50, 5)


def test_one_user_has_a_value_but_no_interval() -> None:
    assert mean([1, 2], ["ann", "ann"], 100, 1) == Estimate(1.5, None, None, 2, "1 user: an interval needs at least 2")


def test_nothing_to_measure_is_null_with_a_reason() -> None:
    assert mean([], [], 100, 1) == nothing("nothing to measure")
    assert ratio([0.0], [0.0], ["ann"], 100, 1).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 1,
        "reason": "no case in the denominator",
    }


def test_a_figure_without_a_problem_has_no_reason_in_the_metrics_file() -> None:
    assert Estimate(1.0, 0.5, 1.5, 8).to_dict() == {"value": 1.0, "low": 0.5, "high": 1.5, "n": 8}
