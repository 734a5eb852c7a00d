"""Preference strength: who is asked about whom, what planted labels look like, and when nothing may follow."""

import numpy as np
import polars as pl
import pytest

from tests.turnabout.quality.conftest import Build
from turnabout.quality.strength import MIN_PAIRS, Strength, cross_fit_margins, measure_strength
from turnabout.stats.estimate import Bootstrap
from turnabout.training.reward_model import fit_head

N = 160


@pytest.fixture
def planted(pairs: Build) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Pairs whose chosen side is better along one axis, every tenth the wrong way round; the last 20 of validation."""
    rng = np.random.default_rng(3)
    differences = rng.normal(0, 0.5, (N, 6)).astype(np.float32)
    differences[:, 0] += 2
    is_wrong = np.arange(N) % 10 == 0
    differences[is_wrong] *= -1
    rows = [(f"p{i:03d}", "x", "y", {"split": "validation" if i >= N - 20 else "train"}) for i in range(N)]
    return pairs(*rows), differences, is_wrong


def test_labels_the_wrong_way_round_are_the_weakest(planted: tuple[pl.DataFrame, np.ndarray, np.ndarray]) -> None:
    pairs, differences, is_wrong = planted
    found, told = measure_strength(pairs, differences, Strength(), bootstrap=Bootstrap(200, seed=1), seed=1)
    assert np.array_equal((found["strength_mean"] < 0).to_numpy(), is_wrong)
    assert found["strength_std"].min() > 0
    assert "reason" not in told
    assert told["agreement_with_unseen_pairs"]["value"] == pytest.approx(0.9)  # 14 of 140 training pairs are wrong


def test_no_head_has_seen_the_person_it_is_asked_about() -> None:
    differences = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    people = np.array(["a", "a", "b", "b", "c", "c", "d", "v"], dtype=object)
    is_train = people != "v"
    weight = np.linspace(0.5, 1.5, 8)
    found = cross_fit_margins(differences, weight, people, is_train, heads=1, l2=1.0, seed=5)[0]
    first = set(np.random.default_rng(5).permutation(["a", "b", "c", "d"])[:2])
    halves = [np.array([p in first for p in people]), np.array([p not in first and p != "v" for p in people])]
    rewards = [differences @ fit_head(differences[half], weight[half], 1.0) for half in halves]
    for i, person in enumerate(people):
        expected = sum(r[i] for r in rewards) / 2 if person == "v" else rewards[1 if person in first else 0][i]
        assert found[i] == pytest.approx(expected, rel=1e-5)


def test_too_few_pairs_or_people_are_refused_and_say_how_many_it_takes(pairs: Build) -> None:
    few = pairs(*((f"p{i}", "x", "y") for i in range(MIN_PAIRS - 1)))
    found, told = measure_strength(few, np.ones((few.height, 2), np.float32), Strength(), bootstrap=Bootstrap(10, seed=1), seed=1)
    assert told == {"reason": "99 training pairs of 99 people; 100 pairs of at least 2 people are needed"}
    assert found["strength_mean"].null_count() == few.height
    alone = pairs(*((f"p{i}", "x", "y", {"user_key": "ann"}) for i in range(MIN_PAIRS)))
    assert "of 1 people" in measure_strength(alone, np.ones((alone.height, 2), np.float32), Strength(), bootstrap=Bootstrap(10, seed=1), seed=1).told["reason"]


def test_heads_no_better_than_a_coin_are_measured_and_not_believed(pairs: Build) -> None:
    built = pairs(*((f"p{i:03d}", "x", "y") for i in range(N)))
    noise = np.random.default_rng(2).normal(size=(N, 6)).astype(np.float32)
    found, told = measure_strength(built, noise, Strength(), bootstrap=Bootstrap(200, seed=1), seed=1)
    assert found["strength_mean"].null_count() == 0
    assert "no more than a coin" in told["reason"]
    assert told["agreement_with_unseen_pairs"]["low"] <= 0.5
