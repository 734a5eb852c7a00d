"""The bootstrap over users, against enumerated cases and SciPy."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from turnabout.stats.estimate import Bootstrap, Estimate, missing_estimate


def test_interval_of_two_users_spans_their_single_values() -> None:
    # ann: 1/2 and 3/2 → 4/4 = 1; bob: 2/1 = 2. Resamples: ann twice (¼) 1, both (½) 6/5, bob twice (¼) 2.
    estimate = Bootstrap(2000, seed=1).ratio([1, 3, 2], [2, 2, 1], ["ann", "ann", "bob"])
    assert estimate == Estimate(6 / 5, 1.0, 2.0, 3)


def test_bootstrap_draws_all_cases_of_a_user_together() -> None:
    # Each person has the values 0 and 1: the mean is one half in every resample. Single cases would vary.
    users = [f"user {i // 2}" for i in range(40)]
    assert Bootstrap(500, seed=1).mean([0, 1] * 20, users) == Estimate(0.5, 0.5, 0.5, 40)


def test_interval_is_scipys_percentile_bootstrap_without_clusters() -> None:
    values = np.random.default_rng(3).exponential(size=60)
    ours = Bootstrap(20_000, seed=1).mean(values, [str(i) for i in range(60)])
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=width / 50),
        pytest.approx(theirs.high, abs=width / 50),
    )


def test_difference_cancels_the_effect_of_users_on_both_ratios() -> None:
    # Per person 1, 2, …, 30 against exactly 0.5 less: the difference is 0.5 in every resample, with any spread.
    users = [str(i) for i in range(30)]
    values, n = np.arange(1.0, 31.0), np.ones(30)
    estimate = Bootstrap(300, seed=1).difference((values, n), (values - 0.5, n), users)
    assert estimate[:3] == pytest.approx((0.5, 0.5, 0.5))


def test_statistic_estimates_any_function_of_sums() -> None:
    # F1 from 2 true positives, 1 false positive, 3 false negatives: 4 / (4 + 1 + 3) = 0.5
    columns = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    f1 = Bootstrap(100, seed=1).statistic(
        columns, lambda s: 2 * s[:, 0] / (2 * s[:, 0] + s[:, 1] + s[:, 2]), ["a", "b", "c"]
    )
    assert f1.value == pytest.approx(0.5)


def test_every_resample_has_as_many_users_as_the_data() -> None:
    drawn = Bootstrap(50, seed=1).draw_multiplicities(7)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()


def test_interval_depends_only_on_the_seed() -> None:
    users = [str(i) for i in range(9)]
    bootstrap = Bootstrap(50, seed=4)
    assert bootstrap.mean(range(9), users) == bootstrap.mean(range(9), users)
    assert bootstrap.mean(range(9), users) != Bootstrap(50, seed=5).mean(range(9), users)


def test_bootstrap_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Bootstrap(50, seed=4).seed = 5  # type: ignore[misc]


def test_single_user_has_a_value_without_interval() -> None:
    estimate = Bootstrap(100, seed=1).mean([1, 2], ["ann", "ann"])
    assert estimate == Estimate(value=1.5, low=None, high=None, n=2, reason="1 user: an interval needs at least 2")


def test_estimate_without_cases_is_null_with_a_reason() -> None:
    assert Bootstrap(100, seed=1).mean([], []) == missing_estimate("nothing to measure")
    assert Bootstrap(100, seed=1).ratio([0.0], [0.0], ["ann"]).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 1,
        "reason": "no case in the denominator",
    }


def test_complete_estimate_has_no_reason_in_the_metrics_file() -> None:
    assert Estimate(1.0, 0.5, 1.5, 8).to_dict() == {"value": 1.0, "low": 0.5, "high": 1.5, "n": 8}


def test_scale_changes_value_and_bounds() -> None:
    share = Estimate(value=0.1, low=0.05, high=None, n=8, reason="why")
    assert share.scale(100) == Estimate(value=10.0, low=5.0, high=None, n=8, reason="why")
