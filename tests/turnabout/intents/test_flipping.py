"""Flipping: which turns of which conversations are learnt."""

from collections.abc import Callable

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.intents.flipping import count_samples, flip_conversations

Build = Callable[..., pl.DataFrame]


def make_tables(*ids: str, split: str = "train") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return splits and intents of the conversations named."""
    splits = pl.DataFrame(
        [{"conversation_id": i, "user_key": "ann", "split": split} for i in ids], schema=schemas.SPLITS
    )
    rows = [{"conversation_id": i, "intent": "chat", "model": "a", "leaks": False, "reason": None} for i in ids]
    return splits, pl.DataFrame(rows, schema=schemas.INTENTS)


def test_user_turns_are_targets_and_the_end_follows_a_last_reply(messages: Build) -> None:
    flipped = flip_conversations(messages("a", "hi", "hello", "bye", "see you"), *make_tables("a"), mirror=False)
    row = flipped.row(0, named=True)
    assert flipped.schema == schemas.USER_SAMPLES
    assert row["target_indexes"] == [0, 2]
    assert row["ends"] is True
    assert [m["content"] for m in row["messages"]] == ["hi", "hello", "bye", "see you"]


def test_ends_is_false_when_the_person_wrote_the_last_message(messages: Build) -> None:
    assert flip_conversations(messages("a", "hi", "hello", "bye"), *make_tables("a"), mirror=False)[
        "ends"
    ].to_list() == [False]


ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


@pytest.mark.parametrize(
    ("roles", "kept", "targets", "ends"),
    [
        ("u", "0", [0], False),
        ("ua", "01", [0], True),
        ("aua", "012", [1], True),
        ("uua", "012", [0, 1], True),
        ("uaau", "0123", [0, 3], False),
        ("saua", "123", [1], True),
        ("uataua", "01345", [0, 3], True),
        ("uats", "01", [0], True),
    ],
)
def test_flip_keeps_any_role_order_and_drops_unseen_messages(
    messages: Build, roles: str, kept: str, targets: list[int], ends: bool
) -> None:
    log = messages("a", *map(str, range(len(roles)))).with_columns(role=pl.Series([ROLES[role] for role in roles]))
    row = flip_conversations(log, *make_tables("a"), mirror=False).row(0, named=True)
    assert "".join(m["content"] for m in row["messages"]) == kept
    assert [m["role"] for m in row["messages"]] == [ROLES[roles[int(index)]] for index in kept]
    assert (row["target_indexes"], row["ends"]) == (targets, ends)


def test_flip_drops_messages_without_text(messages: Build) -> None:
    # a message of blanks, a reply, and a tool call, after which the log ends before any answer
    row = flip_conversations(messages("a", " ", "hello", "bye", ""), *make_tables("a"), mirror=False).row(0, named=True)
    assert [m["content"] for m in row["messages"]] == ["hello", "bye"]
    assert (row["target_indexes"], row["ends"]) == ([1], False)


def test_flip_learns_all_people_of_a_conversation_under_the_first_key(messages: Build) -> None:
    log = messages("a", "hi", "hello", "bye", "see you").with_columns(user_key=pl.Series(["ann", None, "bob", None]))
    row = flip_conversations(log, *make_tables("a"), mirror=False).row(0, named=True)
    assert (row["user_key"], row["target_indexes"]) == ("ann", [0, 2])


def test_flip_learns_repeated_messages_of_a_branch_only_once(messages: Build) -> None:
    branch = messages("b", "hi", "hello", "bye").with_columns(
        extras=pl.lit('{"conversation": {"branch_of": "a", "n_shared": 2}}')
    )
    again = messages("c", "hi", "hello").with_columns(extras=pl.lit('{"conversation": {"n_shared": 1}}'))
    flipped = flip_conversations(
        pl.concat([messages("a", "hi", "hello", "well"), branch, again]), *make_tables("a", "b", "c"), mirror=False
    )
    assert dict(flipped.select("conversation_id", "target_indexes").iter_rows()) == {"a": [0, 2], "b": [2]}
    assert [m["content"] for m in flipped["messages"][1]] == ["hi", "hello", "bye"]


def test_flip_skips_conversations_without_an_intent(messages: Build) -> None:
    log = pl.concat([messages("a", "hi", "ho"), messages("b", "hi", "ho")])
    splits, intents = make_tables("a", "b")
    flipped = flip_conversations(log, splits, intents.filter(conversation_id="b"), mirror=False)
    assert flipped["conversation_id"].to_list() == ["b"]


@pytest.mark.parametrize(("split", "expected"), [("train", ["a", "a#mirror"]), ("test", ["a"])])
def test_flip_mirrors_only_training_conversations(messages: Build, split: str, expected: list[str]) -> None:
    log = messages("a", "hi", "hello", "bye").with_columns(
        user_key=pl.when(pl.col("role") == "user").then(pl.lit("ann")).otherwise(pl.lit("bob"))
    )
    flipped = flip_conversations(log, *make_tables("a", split=split), mirror=True)
    assert flipped["conversation_id"].to_list() == expected
    if split == "train":
        mirrored = flipped.filter(conversation_id="a#mirror").row(0, named=True)
        assert (mirrored["user_key"], mirrored["target_indexes"], mirrored["ends"]) == ("bob", [1], True)


def test_count_samples_counts_every_conversation_and_unseen_message(messages: Build) -> None:
    a = messages("a", "be brief", "hi", "hello", "bye").with_columns(
        role=pl.Series(["system", "user", "assistant", "user"])
    )
    b, c = messages("b", "hi", "hello"), messages("c", "hi", "hello")
    d = messages("d", "hello", "5 degrees", " ").with_columns(role=pl.Series(["assistant", "tool", "user"]))
    log = pl.concat([a, b, c, d])
    splits, intents = make_tables("a", "b", "d")
    assert count_samples(log, intents, flip_conversations(log, splits, intents, mirror=False)) == {
        "n_conversations": 4,
        "n_samples": 2,
        "samples_by_split": {"train": 2},
        "n_targets": 3,  # a: hi, bye; b: hi
        "n_ends": 1,  # b; in a the person wrote the last message
        "n_stays": 1,
        "dropped_by_reason": {"no intent": 1, "no user turn to learn": 1},  # c, d
        "unseen_by_role": {"system": 1, "tool": 1, "user": 1},
    }
