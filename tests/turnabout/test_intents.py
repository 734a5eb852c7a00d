"""Intents: what is asked, and what is done with answers that do not hold."""

from collections.abc import Callable

import polars as pl
import pytest

from turnabout import schemas
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.intents import ABOUT, FALLBACK, PREFIX, intents, judged, prompt, shares_words


def test_one_sentence_per_conversation_is_kept(messages: Callable[..., pl.DataFrame]) -> None:
    said = pl.concat([messages("b", "hello", "hi"), messages("a", "my tap drips", "turn it off", "thanks", "ok")])
    author = ScriptedGenerator(lambda _: " a leaking tap. Then more.\nAnd more")
    written = intents(said, author, max_prompt_tokens=50, max_new_tokens=20, seed=1)
    assert written.schema == schemas.INTENTS
    assert written["conversation_id"].to_list() == ["a", "b"]
    assert written["intent"].unique().to_list() == [PREFIX + "a leaking tap."]
    assert author.asked[0][-1]["content"].startswith("A: my tap drips\nB: turn it off\nA: thanks\nB: ok\n\nWhat is")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Completion(ABOUT), "empty"),
        (Completion(ABOUT + " one two three four five six seven eight now."), "leak"),
        (Completion(ABOUT + " going on and", truncated=True), "cut off"),
    ],
)
def test_an_answer_that_fails_a_check_becomes_a_fallback_with_the_reason(answer: Completion, reason: str) -> None:
    row = judged(answer, ["well one two three four five six seven eight"], "model")
    assert (row["intent"], row["author"], row["reason"]) == (FALLBACK, "fallback", reason)
    assert row["leaks"] == (reason == "leak")


def test_a_shared_run_must_be_as_long_as_said_and_unbroken() -> None:
    assert shares_words("A b C d", ["x a B c D y"], 4)
    assert not shares_words("a b c d", ["a b x c d"], 4)
    assert not shares_words("a b c", ["a b c"], 4)


def test_the_excerpt_is_cut_to_the_tokens_allowed() -> None:
    assert prompt(["x" * 100], max_tokens=5)[-1]["content"].startswith("x" * 20 + "\n\n")
