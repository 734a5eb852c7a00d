"""Tests of grouping reasons, with reasons as the filters write them."""

from collections.abc import Callable

import polars as pl
import pytest

from turnabout.cleaning.exact_duplicates import KNOWN_TEXTS, ExactDuplicateIndex
from turnabout.cleaning.person_cap import APPEARANCES, PersonCap
from turnabout.report.reasons import MIN_VALUES, group_reasons


@pytest.mark.parametrize(
    ("reason", "group"),
    [
        ("same messages as another conversation: c17", "same messages as another conversation"),
        (
            "nearly the same messages as another conversation: a b: c",
            "nearly the same messages as another conversation",
        ),
        ("person has 50 earlier conversations: Ann Smith", "person has 50 earlier conversations"),
        ("text of an evaluation set: mt_bench", "text of an evaluation set"),
        ("contradiction: drift:c1:3 prefers the opposite", "contradiction: another pair prefers the opposite"),
    ],
)
def test_the_id_of_another_row_is_left_out(reason: str, group: str) -> None:
    assert group_reasons([reason]) == {reason: group}


def test_reasons_of_cleaning_filters_lose_their_ids(messages: Callable[..., pl.DataFrame]) -> None:
    log = pl.concat([messages("c1", "q", "a"), messages("c2", "q", "a")])
    repeated = ExactDuplicateIndex(KNOWN_TEXTS.to_frame()).find_repeats(log)["reason"].to_list()
    excess = PersonCap(1, APPEARANCES.to_frame()).find_excess(log)["reason"].to_list()

    assert list(group_reasons(repeated).values()) == ["same messages as another conversation"]
    assert list(group_reasons(excess).values()) == ["person has 1 earlier conversations"]


def test_reasons_with_the_same_field_or_kind_stay_whole() -> None:
    reasons = [
        "role: null",
        "role: expected one of ['assistant', 'user'], got ['bot']",
        "messages.content: only text parts can be read, came 'image_url'",
        "messages.content: expected text or parts, came int",
        "broken JSON: nested too deeply",
        "broken JSON: the text ends too early",
        "record: expected `object`, got `int`; looks like openai: set format: openai",
        "softened: strength",
        "one person talking to nobody",
    ]
    assert group_reasons(reasons) == {reason: reason for reason in reasons}


def test_reasons_that_differ_in_a_last_value_are_one_group() -> None:
    reasons = [f"conversation id occurs earlier in the log: c{i}" for i in (17, 18)]
    assert set(group_reasons(reasons).values()) == {"conversation id occurs earlier in the log: …"}


def test_many_different_endings_are_values() -> None:
    reasons = [f"broken CSV: {i} cells, the header has 4" for i in range(MIN_VALUES)]
    assert set(group_reasons(reasons).values()) == {"broken CSV: …"}
    assert len(set(group_reasons(reasons[1:]).values())) == MIN_VALUES - 1
