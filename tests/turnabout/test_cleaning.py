from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from turnabout.cleaning import clean
from turnabout.params import Clean

Build = Callable[..., pl.DataFrame]


def settings(**changes: Any) -> Clean:
    return Clean.model_validate({"min_messages": 2, "max_conversations_per_person": None, "scrub": [], **changes})


def day(number: int) -> datetime:
    return datetime(2024, 5, number, tzinfo=UTC)


def kept(log: pl.DataFrame, **changes: Any) -> list[str]:
    return clean(log, settings(**changes)).messages["conversation_id"].unique().sort().to_list()


def test_an_empty_message_goes_alone_and_the_rest_is_numbered_anew(messages: Build) -> None:
    log = pl.concat([messages("a", "hi", " \n", "still there?", "yes"), messages("b", "hi", "yo")])
    cleaned = clean(log, settings())
    assert cleaned.messages.select("message_index", "text").rows() == [
        *[(0, "hi"), (1, "still there?"), (2, "yes")],
        *[(0, "hi"), (1, "yo")],
    ]
    assert cleaned.messages.schema["message_index"] == pl.Int32
    assert cleaned.quarantine.rows() == [("test", "a:1", "empty message", " \n")]


@pytest.mark.parametrize(
    ("texts", "roles", "reason"),
    [
        (["hi"], ["user"], "fewer than 2 messages"),
        (["hi", ""], ["user", "assistant"], "fewer than 2 messages"),
        (["x", "y"], ["assistant", "tool"], "no user message"),
        (["x", "y"], ["system", "user"], "no assistant message"),
    ],
)
def test_a_conversation_too_thin_goes_with_the_reason(
    messages: Build, texts: list[str], roles: list[str], reason: str
) -> None:
    log = messages("a", *texts).with_columns(role=pl.Series(roles))
    cleaned = clean(log, settings())
    assert cleaned.messages.is_empty()
    assert cleaned.quarantine.filter(record="a").rows() == [("test", "a", reason, texts[0])]


def test_of_equal_conversations_the_earliest_stays_and_is_named(messages: Build) -> None:
    log = pl.concat(
        [
            messages("a", "hi", "yo", user="ann"),
            messages("b", "hi", "yo", user="bob", at=day(2)),
            messages("c", "hi", "yo", user="cyd", at=day(1)),
            messages("d", "hi", "yo!", user="dan", at=day(1)),
        ]
    )
    cleaned = clean(log, settings())
    assert cleaned.messages["conversation_id"].unique().sort().to_list() == ["c", "d"]
    assert cleaned.quarantine.select("record", "reason").rows() == [
        ("a", "same messages as another conversation: c"),
        ("b", "same messages as another conversation: c"),
    ]


def test_equal_texts_in_other_roles_are_no_duplicates(messages: Build) -> None:
    other = messages("b", "hi", "yo").with_columns(role=pl.Series(["assistant", "user"]))
    assert kept(pl.concat([messages("a", "hi", "yo"), other])) == ["a", "b"]


def test_duplicates_are_found_after_scrubbing(messages: Build) -> None:
    log = pl.concat([messages("a", "x@y.com", "yo"), messages("b", "z@y.com", "yo")])
    assert kept(log) == ["a", "b"]
    assert kept(log, scrub=["email"]) == ["a"]


def test_a_person_keeps_the_earliest_conversations_in_any_role(messages: Build) -> None:
    log = pl.concat(
        [
            messages("a", "1", "x", user="ann", at=day(3)),
            messages("b", "2", "x", user="ann", at=day(1)),
            messages("c", "3", "x", user="bob", at=day(2)).with_columns(
                user_key=pl.coalesce("user_key", pl.lit("ann"))
            ),
            messages("d", "4", "x", user="bob", at=day(4)),
        ]
    )
    cleaned = clean(log, settings(max_conversations_per_person=2))
    assert cleaned.messages["conversation_id"].unique().sort().to_list() == ["b", "c", "d"]
    assert cleaned.quarantine.select("record", "reason").rows() == [("a", "person has 2 earlier conversations: ann")]


def test_messages_of_nobody_are_not_capped(messages: Build) -> None:
    log = pl.concat([messages(name, name, "x").with_columns(user_key=pl.lit(None, pl.String)) for name in "abc"])
    assert kept(log, max_conversations_per_person=1) == ["a", "b", "c"]


def test_later_conversations_take_nothing_away(messages: Build) -> None:
    early = pl.concat([messages(name, name, "x", at=day(1)) for name in "bc"])
    late = pl.concat([early, messages("a", "b", "x", at=day(2)), messages("d", "d", "x", at=day(3))])
    assert kept(early, max_conversations_per_person=2) == kept(late, max_conversations_per_person=2) == ["b", "c"]


def test_the_order_of_rows_does_not_matter(messages: Build) -> None:
    log = pl.concat([messages(name, "hi", "yo", "x@y.com", "z@y.com", "") for name in "cab"])
    cleaned = clean(log, settings(scrub=["email"]))
    shuffled = clean(log.sample(fraction=1, shuffle=True, seed=1), settings(scrub=["email"]))
    assert cleaned.messages.equals(shuffled.messages)
    assert cleaned.quarantine.equals(shuffled.quarantine)
    assert cleaned.n_scrubbed == {"email": 6}
