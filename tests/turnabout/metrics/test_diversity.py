"""Diversity of first messages, computed by hand for every pair."""

import numpy as np
import pytest

from turnabout.metrics import diversity as module
from turnabout.metrics.diversity import estimate_diversity
from turnabout.stats.estimate import Bootstrap


def test_diversity_is_one_minus_mean_jaccard_similarity() -> None:
    # {hi, there} ∩ {hi, you}: 1 of 3; {hi, there} ∩ {bye}: 0; {hi, you} ∩ {bye}: 0. Mean 1/9 → 100 · 8/9.
    estimate = estimate_diversity(["Hi there", "hi you hi", "bye"], ["a", "b", "c"], Bootstrap(200, seed=1))
    assert estimate.value == pytest.approx(100 * 8 / 9)
    # A resample with only the two similar texts has 100 · 2/3, one without similar texts 100.
    assert (estimate.low, estimate.high) == (pytest.approx(200 / 3), pytest.approx(100))


def test_diversity_of_equal_texts_is_zero() -> None:
    estimate = estimate_diversity(["hello!"] * 4, ["a", "b", "c", "d"], Bootstrap(50, seed=1))
    assert estimate[:3] == pytest.approx((0, 0, 0))


def test_texts_without_words_count_as_equal() -> None:
    assert estimate_diversity(["", " "], ["a", "b"], Bootstrap(10, seed=1)).value == 0
    assert estimate_diversity(["", "hi"], ["a", "b"], Bootstrap(10, seed=1)).value == 100


def test_diversity_of_fewer_than_two_texts_is_null_with_a_reason() -> None:
    assert estimate_diversity(["hi"], ["a"], Bootstrap(10, seed=1)).reason == "1 text: diversity needs at least 2"
    assert estimate_diversity([], [], Bootstrap(10, seed=1)).value is None


def test_diversity_samples_pairs_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", 5000)
    texts = ["left hand", "left foot", "right hand", "right foot"] * 50  # 19,900 pairs
    first, second = module._draw_pairs(len(texts), 1)
    assert (len(first), (first == second).any(), second.max()) == (5000, False, 199)
    # Of 199 other texts 49 are the same (1), 50 share no word (0), 100 share one of three (1/3).
    expected = 100 * (1 - (49 + 100 / 3) / 199)
    estimate = estimate_diversity(texts, [str(i) for i in range(200)], Bootstrap(5, seed=1))
    assert estimate.value == pytest.approx(expected, abs=2)


def test_same_seed_draws_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", 10)
    assert np.array_equal(module._draw_pairs(50, 3), module._draw_pairs(50, 3))
