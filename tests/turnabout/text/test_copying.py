"""Words taken from what was said only later."""

from collections.abc import Callable

import polars as pl
import pytest

from turnabout.text.copying import collect_later_turns, copies_later_text

LATER = ["No, I meant the one in the old town by the river.", "Really."]


@pytest.mark.parametrize(
    ("text", "known", "is_copy"),
    [
        ("It is the one in the old town.", [], True),  # "the one in the old town": six words
        ("It is THE ONE, in the old town!", [], True),
        ("It is in the old town near the river.", [], False),  # "in the old town" are four
        ("It is the one in the old town.", ["Not the one in the old town?"], False),
        ("It is the one in the old town.", ["Not the one in the old house?"], True),
        ("Really.", [], False),
    ],
)
def test_six_words_in_a_row_that_nobody_had_said_before_are_a_copy(text: str, known: list[str], is_copy: bool) -> None:
    assert copies_later_text(text, LATER, known, 6) is is_copy


def test_a_shorter_message_is_copied_as_a_whole() -> None:
    assert copies_later_text("Well: jazz, lyrical and hip hop.", ["jazz lyrical and hip hop"], [], 6)
    assert not copies_later_text("jazz and hip hop", ["jazz lyrical and hip hop"], [], 6)
    assert not copies_later_text("yes please do", ["yes please"], [], 6)


def test_only_the_users_messages_after_each_reply_are_later(messages: Callable[..., pl.DataFrame]) -> None:
    log = pl.concat([messages("a", "q1", "r1", "q2", "r2", "q3"), messages("b", "other", "r", "more")])
    replies = pl.DataFrame(
        {"conversation_id": ["b", "a", "a", "c"], "reply_index": [1, 3, 1, 1]},
        schema_overrides={"reply_index": pl.Int32},
    )
    assert collect_later_turns(log, replies) == [["more"], ["q3"], ["q2", "q3"], []]
