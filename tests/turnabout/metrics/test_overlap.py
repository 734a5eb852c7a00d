"""Intent overlap, computed by hand."""

import pytest

from turnabout.intents.wording import NO_INTENT, PREFIX
from turnabout.metrics.overlap import estimate_overlap
from turnabout.stats.estimate import Bootstrap

BOOTSTRAP = Bootstrap(200, seed=1)


def test_overlap_is_the_share_of_content_words_in_the_intent() -> None:
    # {boil, rice} of which rice; {slow, laptop, evening?}: evening is small talk, neither of the other two is in it.
    texts = ["How do I boil the rice, rice?", "my laptop is slow this evening"]
    estimate = estimate_overlap(texts, [f"{PREFIX}cooking rice.", f"{PREFIX}cooking rice."], ["a", "b"], BOOTSTRAP)
    assert estimate.value == pytest.approx(100 * (1 / 2 + 0) / 2)
    assert (estimate.low, estimate.high, estimate.n) == (0, 50, 2)


def test_overlap_ignores_the_prefix_of_all_intents() -> None:
    text = "assistant language model"  # words of the prefix
    assert estimate_overlap([text], [f"{PREFIX}cooking rice."], ["a"], BOOTSTRAP).value == 0
    assert estimate_overlap([text], ["You are a user of a language model."], ["a"], BOOTSTRAP).value == pytest.approx(
        200 / 3
    )


def test_overlap_is_zero_when_the_intent_is_withheld() -> None:
    assert estimate_overlap(["assistant language model"], [NO_INTENT], ["a"], BOOTSTRAP).value == 0


def test_overlap_is_zero_without_content_words() -> None:
    assert estimate_overlap(["hi, how are you?", ""], ["rice", "rice"], ["a", "b"], BOOTSTRAP).value == 0


def test_overlap_without_turns_is_null_with_a_reason() -> None:
    assert estimate_overlap([], [], [], BOOTSTRAP).reason == "nothing to measure"
