"""Diversity of first turns, pair by pair by hand."""

import numpy as np
import pytest

from turnabout.metrics import diversity as module
from turnabout.metrics.diversity import diversity


def test_diversity_is_what_pairs_of_word_sets_do_not_share() -> None:
    # {hi, there} ∩ {hi, you}: 1 of 3; {hi, there} ∩ {bye}: 0; {hi, you} ∩ {bye}: 0. Mean 1/9 → 100 · 8/9.
    estimate = diversity(["Hi there", "hi you hi", "bye"], ["a", "b", "c"], 200, 1)
    assert estimate.value == pytest.approx(100 * 8 / 9)
    # A resample that holds only the two alike has 100 · 2/3, one with none of them alike 100.
    assert (estimate.low, estimate.high) == (pytest.approx(200 / 3), pytest.approx(100))


def test_the_same_text_over_and_over_has_none() -> None:
    assert diversity(["hello!"] * 4, ["a", "b", "c", "d"], 50, 1)[:3] == pytest.approx((0, 0, 0))


def test_texts_without_a_word_are_alike() -> None:
    assert diversity(["", " "], ["a", "b"], 10, 1).value == 0
    assert diversity(["", "hi"], ["a", "b"], 10, 1).value == 100


def test_fewer_than_two_texts_is_null_with_a_reason() -> None:
    assert diversity(["hi"], ["a"], 10, 1).reason == "1 text: diversity needs at least 2"
    assert diversity([], [], 10, 1).value is None


def test_many_texts_are_compared_on_a_sample_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", 5000)
    texts = ["left hand", "left foot", "right hand", "right foot"] * 50  # 19,900 pairs
    ones, others = module._pairs(len(texts), 1)
    assert (len(ones), (ones == others).any(), others.max()) == (5000, False, 199)
    # Of 199 others 49 are the same (1), 50 share no word (0), 100 share one of three (1/3).
    expected = 100 * (1 - (49 + 100 / 3) / 199)
    assert diversity(texts, [str(i) for i in range(200)], 5, 1).value == pytest.approx(expected, abs=2)


def test_the_same_seed_draws_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", 10)
    assert np.array_equal(module._pairs(50, 3), module._pairs(50, 3))
