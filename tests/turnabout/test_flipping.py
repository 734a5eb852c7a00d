"""Flipping: what is learnt from which conversation."""

from collections.abc import Callable

import polars as pl
import pytest

from turnabout import schemas
from turnabout.flipping import flip

Build = Callable[..., pl.DataFrame]


def tables(*ids: str, split: str = "train") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits and intents of the conversations named."""
    splits = pl.DataFrame(
        [{"conversation_id": i, "user_key": "ann", "split": split} for i in ids], schema=schemas.SPLITS
    )
    rows = [{"conversation_id": i, "intent": "chat", "author": "a", "leaks": False, "reason": None} for i in ids]
    return splits, pl.DataFrame(rows, schema=schemas.INTENTS)


def test_user_turns_are_the_targets_and_leaving_follows_a_last_reply(messages: Build) -> None:
    flipped = flip(messages("a", "hi", "hello", "bye", "see you"), *tables("a"), mirror=False)
    row = flipped.row(0, named=True)
    assert flipped.schema == schemas.USER_SAMPLES
    assert row["target_indexes"] == [0, 2]
    assert row["ends"] is True
    assert [m["content"] for m in row["messages"]] == ["hi", "hello", "bye", "see you"]


def test_a_person_with_the_last_word_is_not_seen_leaving(messages: Build) -> None:
    assert flip(messages("a", "hi", "hello", "bye"), *tables("a"), mirror=False)["ends"].to_list() == [False]


def test_any_role_order_is_kept_and_what_the_person_never_saw_is_dropped(messages: Build) -> None:
    said = messages("a", "0", "1", "2", "3", "4").with_columns(
        role=pl.Series(["system", "assistant", "user", "tool", "user"])
    )
    row = flip(said, *tables("a"), mirror=False).row(0, named=True)
    assert [m["content"] for m in row["messages"]] == ["1", "2", "4"]
    assert row["target_indexes"] == [1, 2]


def test_only_conversations_with_an_intent_are_flipped(messages: Build) -> None:
    said = pl.concat([messages("a", "hi", "ho"), messages("b", "hi", "ho")])
    splits, intents = tables("a", "b")
    assert flip(said, splits, intents.filter(conversation_id="b"), mirror=False)["conversation_id"].to_list() == ["b"]


@pytest.mark.parametrize(("split", "expected"), [("train", ["a", "a#mirror"]), ("test", ["a"])])
def test_the_mirrored_view_is_for_training_only(messages: Build, split: str, expected: list[str]) -> None:
    said = messages("a", "hi", "hello", "bye").with_columns(
        user_key=pl.when(pl.col("role") == "user").then(pl.lit("ann")).otherwise(pl.lit("bob"))
    )
    flipped = flip(said, *tables("a", split=split), mirror=True)
    assert flipped["conversation_id"].to_list() == expected
    if split == "train":
        mirrored = flipped.filter(conversation_id="a#mirror").row(0, named=True)
        assert (mirrored["user_key"], mirrored["target_indexes"], mirrored["ends"]) == ("bob", [1], True)
