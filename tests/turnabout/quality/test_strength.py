"""Preference strength: cross-fitting, wrong labels, lack of evidence."""

import numpy as np
import polars as pl
import pytest

from tests.turnabout.quality.conftest import Build
from turnabout.quality.strength import MIN_PAIRS, Strength, cross_fit_margins, measure_strength
from turnabout.stats.estimate import Bootstrap
from turnabout.training.reward_model import fit_head

N = 160
BOOTSTRAP = Bootstrap(resamples=200, seed=1)


@pytest.fixture
def planted(pairs: Build) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Pairs with a clear better side, but a wrong label on every tenth.

    The better side is better along one axis; the last 20 pairs are validation.
    """
    rng = np.random.default_rng(3)
    differences = rng.normal(0, 0.5, (N, 6)).astype(np.float32)
    differences[:, 0] += 2
    is_wrong = np.arange(N) % 10 == 0
    differences[is_wrong] *= -1
    rows = [(f"p{i:03d}", "x", "y", {"split": "validation" if i >= N - 20 else "train"}) for i in range(N)]
    return pairs(*rows), differences, is_wrong


def test_strength_is_lowest_for_wrong_labels(planted: tuple[pl.DataFrame, np.ndarray, np.ndarray]) -> None:
    pairs, differences, is_wrong = planted
    measured, report = measure_strength(pairs, differences, Strength(), bootstrap=BOOTSTRAP, seed=1)
    assert np.array_equal((measured["strength_mean"] < 0).to_numpy(), is_wrong)
    assert (measured["strength_std"] > 0).all()
    assert "reason" not in report
    assert report["agreement_with_unseen_pairs"]["value"] == pytest.approx(0.9)  # 14 of 140 training pairs are wrong


def test_head_has_not_seen_the_person_whose_pairs_it_scores() -> None:
    differences = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    people = np.array(["a", "a", "b", "b", "c", "c", "d", "v"], dtype=object)
    is_train = people != "v"
    weight = np.linspace(0.5, 1.5, 8)
    settings = Strength(heads=2, l2=1.0)
    margins = cross_fit_margins(differences, weight, people=people, is_train=is_train, settings=settings, seed=5)[0]
    first = set(np.random.default_rng(5).permutation(["a", "b", "c", "d"])[:2])
    halves = [np.array([p in first for p in people]), np.array([p not in first and p != "v" for p in people])]
    rewards = [differences @ fit_head(differences[half], weight[half], 1.0) for half in halves]
    for i, person in enumerate(people):
        expected = sum(r[i] for r in rewards) / 2 if person == "v" else rewards[1 if person in first else 0][i]
        assert margins[i] == pytest.approx(expected, rel=1e-5)


def test_strength_of_too_few_pairs_or_people_is_null_with_a_reason(pairs: Build) -> None:
    few = pairs(*((f"p{i}", "x", "y") for i in range(MIN_PAIRS - 1)))
    differences = np.ones((few.height, 2), np.float32)
    measured, report = measure_strength(few, differences, Strength(), bootstrap=BOOTSTRAP, seed=1)
    assert report == {"reason": "99 training pairs of 99 people; 100 pairs of at least 2 people are needed"}
    assert measured["strength_mean"].null_count() == few.height
    alone = pairs(*((f"p{i}", "x", "y", {"user_key": "ann"}) for i in range(MIN_PAIRS)))
    differences = np.ones((alone.height, 2), np.float32)
    report = measure_strength(alone, differences, Strength(), bootstrap=BOOTSTRAP, seed=1).report
    assert "of 1 people" in report["reason"]


def test_strength_by_chance_is_measured_with_a_reason(pairs: Build) -> None:
    built = pairs(*((f"p{i:03d}", "x", "y") for i in range(N)))
    noise = np.random.default_rng(2).normal(size=(N, 6)).astype(np.float32)
    measured, report = measure_strength(built, noise, Strength(), bootstrap=BOOTSTRAP, seed=1)
    assert measured["strength_mean"].null_count() == 0
    assert "no more than a coin" in report["reason"]
    assert report["agreement_with_unseen_pairs"]["low"] <= 0.5
