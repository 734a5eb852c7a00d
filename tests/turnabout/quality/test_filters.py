"""Filters that need pairs and logs alone: dropped pairs and reasons."""

from collections.abc import Callable

import polars as pl

from tests.turnabout.quality.conftest import CONTEXT, Build, drop_reasons
from turnabout.quality.filters import drop_contradictions, drop_leaks, drop_surplus_pairs, drop_unequal_lengths

LATER = "No, I wanted the opening hours of the shop on Sundays, not of the museum"
LEAK = "prompt leaks what was said later"

Messages = Callable[..., pl.DataFrame]


def find_leaks(pairs: pl.DataFrame, messages: pl.DataFrame) -> dict[str, str | None]:
    return drop_reasons(drop_leaks(pairs, True, CONTEXT._replace(messages=messages)))


def find_contradictions(pairs: pl.DataFrame) -> dict[str, str | None]:
    return drop_reasons(drop_contradictions(pairs, True, CONTEXT))


def with_prompt(*texts: str) -> dict[str, object]:
    return {"prompt": [{"role": "user", "content": text} for text in texts]}


def contradicted_by(pair_id: str) -> str:
    return f"contradiction: {pair_id} prefers the opposite"


def test_leak_is_eight_later_words_in_a_row_and_not_seven(pairs: Build, messages: Messages) -> None:
    log = pl.concat([messages(name, "when is it open?", "at nine", LATER) for name in ("eight", "seven", "history")])
    built = pairs(
        ("eight", "on Sundays at ten", "at nine", with_prompt("Open? i WANTED the opening hours of the shop: please")),
        ("seven", "on Sundays at ten", "at nine", with_prompt("I wanted the opening hours of the", "shop on Sundays")),
        ("history", "on Sundays at ten", "at nine", with_prompt("when is it open?")),
    )
    assert find_leaks(built, log) == {"eight": LEAK, "seven": None, "history": None}


def test_words_that_the_user_had_written_before_are_no_leak(pairs: Build, messages: Messages) -> None:
    log = messages("a", LATER, "at nine", LATER)
    assert find_leaks(pairs(("a", "x", "y", with_prompt(LATER))), log) == {"a": None}


def test_words_of_assistant_or_other_conversations_are_no_leak(pairs: Build, messages: Messages) -> None:
    log = pl.concat([messages("a", "hi", "ho", "what?", LATER), messages("b", "hi", "ho", LATER)])
    built = pairs(("a", "x", "y", with_prompt(LATER)), ("b", "x", "y"))
    assert find_leaks(built, log) == {"a": None, "b": None}


def test_leak_counts_in_the_prompt_of_the_rejected_reply(pairs: Build, messages: Messages) -> None:
    log = pl.concat([messages(name, "hi", "ho", LATER) for name in ("a", "b")])
    own, other = with_prompt("hi")["prompt"], with_prompt(LATER)["prompt"]
    built = pairs(
        ("a", "x", "y", {"prompt": other, "rejected_prompt": own}),
        ("b", "x", "y", {"prompt": own, "rejected_prompt": other}),
    )
    assert find_leaks(built, log) == {"a": None, "b": LEAK}


def test_leaks_accept_no_pairs_and_empty_prompts(pairs: Build, messages: Messages) -> None:
    assert find_leaks(pairs(), messages("a", "hi")) == {}
    assert find_leaks(pairs(("a", "x", "y", {"prompt": []})), messages("a", "hi", "ho")) == {"a": None}


def test_contradiction_keeps_the_heavier_direction(pairs: Build) -> None:
    built = pairs(
        ("a", "Yes, do!", "No.", {"weight": 0.7}),
        ("b", "no", "yes do", {"weight": 0.6}),
        ("c", "No?", "Yes do", {"weight": 0.2}),
    )
    # yes over no: 0.7; no over yes: 0.6 + 0.2
    assert find_contradictions(built) == {"a": contradicted_by("b"), "b": None, "c": None}


def test_contradiction_drops_both_directions_of_equal_weight(pairs: Build) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"))
    assert find_contradictions(built) == {"a": contradicted_by("b"), "b": contradicted_by("a")}


def test_contradiction_needs_the_same_prompt_split_and_replies(pairs: Build) -> None:
    built = pairs(
        ("a", "yes", "no"),
        ("b", "no", "yes", {"prompt": [{"role": "user", "content": "bye"}]}),
        ("c", "no", "yes", {"split": "validation"}),
        ("d", "maybe", "yes"),  # maybe over yes over no: an order
        ("e", "no", "yes", {"keep": False, "reason": "small margin"}),
        ("f", "no", None),
        ("g", "no", "yes", {"rejected_prompt": [{"role": "user", "content": "hi"}]}),
    )
    assert find_contradictions(built) == dict.fromkeys("abcdfg") | {"e": "small margin"}


def test_contradiction_needs_the_same_role_in_the_prompt(pairs: Build) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes", {"prompt": [{"role": "system", "content": "hi"}]}))
    assert find_contradictions(built) == {"a": None, "b": None}


def test_unequal_lengths_are_those_above_the_maximum_ratio(pairs: Build) -> None:
    built = pairs(("a", "x" * 8, "x" * 2), ("b", "x" * 2, "x" * 9), ("c", "x" * 9, None))
    reasons = drop_reasons(drop_unequal_lengths(built, 4.0, CONTEXT))
    assert reasons == {"a": None, "b": "lengths too far apart", "c": None}


def test_filter_leaves_the_first_reason_of_a_dropped_pair(pairs: Build) -> None:
    built = pairs(("a", "x" * 9, "x", {"keep": False, "reason": "small margin"}))
    assert drop_reasons(drop_unequal_lengths(built, 4.0, CONTEXT)) == {"a": "small margin"}


def test_surplus_keeps_heavy_pairs_then_wide_margins_then_first_ids(pairs: Build) -> None:
    ann = {"user_key": "ann"}
    built = pairs(
        ("a", "x", "y", ann | {"margin": 0.1}),
        ("b", "x", "y", ann | {"margin": -0.3}),
        ("c", "x", "y", ann | {"margin": 0.1}),
        ("d", "x", "y", ann | {"weight": 2.0}),
        ("e", "x", "y"),
    )
    reasons = drop_reasons(drop_surplus_pairs(built, 3, CONTEXT))
    assert reasons == {"a": None, "b": None, "c": "beyond 3 pairs of one person", "d": None, "e": None}


def test_surplus_ignores_dropped_pairs_and_counts_unknown_users_apart(pairs: Build) -> None:
    unknown = {"user_key": None}
    built = pairs(
        ("a", "x", "y", {"user_key": "ann", "keep": False, "reason": "empty", "weight": 9.0}),
        ("b", "x", "y", {"user_key": "ann"}),
        ("c", "x", "y", unknown),
        ("d", "x", "y", unknown),
    )
    assert drop_reasons(drop_surplus_pairs(built, 1, CONTEXT)) == {"a": "empty", "b": None, "c": None, "d": None}
