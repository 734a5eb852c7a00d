"""Intent overlap by hand."""

import pytest

from turnabout.intents.wording import NO_INTENT, PREFIX
from turnabout.metrics.overlap import overlap


def test_overlap_is_the_share_of_content_words_that_the_intent_has() -> None:
    # {boil, rice} of which rice; {slow, laptop, evening?}: evening is small talk, neither of the other two is in it.
    texts = ["How do I boil the rice, rice?", "my laptop is slow this evening"]
    found = overlap(texts, [f"{PREFIX}cooking rice.", f"{PREFIX}cooking rice."], ["a", "b"], 200, 1)
    assert found.value == pytest.approx(100 * (1 / 2 + 0) / 2)
    assert (found.low, found.high, found.n) == (0, 50, 2)


def test_what_every_intent_begins_with_is_not_copied_from_it() -> None:
    text = "assistant language model"  # words of the prefix
    assert overlap([text], [f"{PREFIX}cooking rice."], ["a"], 10, 1).value == 0
    assert overlap([text], ["You are a user of a language model."], ["a"], 10, 1).value == pytest.approx(200 / 3)


def test_from_an_intent_that_is_withheld_nothing_is_copied() -> None:
    assert overlap(["assistant language model"], [NO_INTENT], ["a"], 10, 1).value == 0


def test_a_turn_without_content_words_gives_nothing_away() -> None:
    assert overlap(["hi, how are you?", ""], ["rice", "rice"], ["a", "b"], 10, 1).value == 0


def test_nobody_is_null_with_a_reason() -> None:
    assert overlap([], [], [], 10, 1).reason == "nothing to measure"
