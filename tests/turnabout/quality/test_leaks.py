"""Prompt leaks: later words of the person in the prompt, and what only looks like one."""

from collections.abc import Callable

import polars as pl

from tests.turnabout.quality.conftest import Build, reasons
from turnabout.quality.leaks import without_leaks

LATER = "No, I wanted the opening hours of the shop on Sundays, not of the museum"
LEAK = "prompt leaks what was said later"


def asking(*texts: str) -> dict[str, object]:
    return {"prompt": [{"role": "user", "content": text} for text in texts]}


def test_eight_later_words_in_a_row_are_a_leak_and_seven_are_not(
    pairs: Build, messages: Callable[..., pl.DataFrame]
) -> None:
    said = pl.concat([messages(name, "when is it open?", "at nine", LATER) for name in ("eight", "seven", "history")])
    built = pairs(
        ("eight", "on Sundays at ten", "at nine", asking("Open? i WANTED the opening hours of the shop: please")),
        ("seven", "on Sundays at ten", "at nine", asking("I wanted the opening hours of the", "shop on Sundays")),
        ("history", "on Sundays at ten", "at nine", asking("when is it open?")),
    )
    assert reasons(without_leaks(built, said)) == {"eight": LEAK, "seven": None, "history": None}


def test_what_the_person_had_said_before_is_no_leak(pairs: Build, messages: Callable[..., pl.DataFrame]) -> None:
    said = messages("a", LATER, "at nine", LATER)
    assert reasons(without_leaks(pairs(("a", "x", "y", asking(LATER))), said)) == {"a": None}


def test_later_words_of_the_assistant_or_of_other_conversations_are_no_leak(
    pairs: Build, messages: Callable[..., pl.DataFrame]
) -> None:
    said = pl.concat([messages("a", "hi", "ho", "what?", LATER), messages("b", "hi", "ho", LATER)])
    built = pairs(("a", "x", "y", asking(LATER)), ("b", "x", "y"))
    assert reasons(without_leaks(built, said)) == {"a": None, "b": None}


def test_of_two_prompts_the_one_of_the_pairs_own_conversation_counts(
    pairs: Build, messages: Callable[..., pl.DataFrame]
) -> None:
    said = pl.concat([messages(name, "hi", "ho", LATER) for name in ("a", "b")])
    own, other = asking("hi")["prompt"], asking(LATER)["prompt"]
    built = pairs(
        ("a", "x", "y", {"prompt": other, "rejected_prompt": own}),
        ("b", "x", "y", {"prompt": own, "rejected_prompt": other}),
    )
    assert reasons(without_leaks(built, said)) == {"a": None, "b": LEAK}


def test_no_pairs_and_no_prompt_are_no_fault(pairs: Build, messages: Callable[..., pl.DataFrame]) -> None:
    assert without_leaks(pairs(), messages("a", "hi")).is_empty()
    assert reasons(without_leaks(pairs(("a", "x", "y", {"prompt": []})), messages("a", "hi", "ho"))) == {"a": None}
