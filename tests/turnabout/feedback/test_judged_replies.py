"""Criticised replies: which signals count, whose conversations, and what is seen of them."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.feedback.judged_replies import select_criticised_replies, limit_per_split

Build = Callable[..., pl.DataFrame]
Signal = Callable[..., dict[str, Any]]


def found(messages: Build, *signals: Any, split: str = "train", weak: Sequence[Any] = ()) -> pl.DataFrame:
    said = pl.concat([messages(c, "q1", "bad reply", "no!", "second", "bye", "end") for c in ("a", "b")])
    splits = [{"conversation_id": "a", "user_key": "ann", "split": split}]
    splits.append({"conversation_id": "b", "user_key": "bea", "split": "train"})
    feedback = pl.DataFrame(list(signals), schema=schemas.FEEDBACK)
    return select_criticised_replies(said, pl.DataFrame(splits, schema=schemas.SPLITS), feedback, weak)


def test_a_dissatisfying_reply_comes_with_its_history_and_reaction(messages: Build, signal: Signal) -> None:
    row = found(messages, signal("a", 3)).row(0, named=True)
    assert [m["content"] for m in row["prompt"]] == ["q1", "bad reply", "no!"]
    assert (row["reply"], row["follow_up"], row["user_key"], row["split"]) == ("second", "bye", "ann", "train")


def test_satisfaction_and_weak_signs_do_not_criticise(messages: Build, signal: Signal) -> None:
    weak = signal("a", 3, category="clarification"), signal("b", 1, category="revision")
    assert found(messages, signal("a", 1, label="sat"), *weak).is_empty()
    assert found(messages, *weak, weak=["clarification"])["reply_index"].to_list() == [3]
    assert found(messages, *weak, weak=["revision"])["conversation_id"].to_list() == ["b"]


def test_a_reply_that_was_asked_for_instead_of_another_is_not_the_criticised_one(
    messages: Build, signal: Signal
) -> None:
    again = signal("a", 1, category="regeneration")
    assert found(messages, again, signal("b", 1))["conversation_id"].to_list() == ["b"]


def test_a_miners_own_signal_counts_only_through_the_decision(messages: Build, signal: Signal) -> None:
    rows = found(messages, signal("a", 1, confidence=0.6), {**signal("a", 1, confidence=0.9), "miner": "rules"})
    assert rows.select("category", "confidence").rows() == [("complaint", 0.6)]
    assert found(messages, {**signal("a", 1), "miner": "rules"}).is_empty()


def test_a_test_conversation_never_gets_here(messages: Build, signal: Signal) -> None:
    assert found(messages, signal("a", 1), signal("b", 1), split="test")["conversation_id"].to_list() == ["b"]


def test_the_most_confident_replies_are_taken_per_split(messages: Build, signal: Signal) -> None:
    rows = found(
        messages, signal("a", 1, confidence=0.5), signal("a", 3, confidence=0.9), signal("b", 1, confidence=0.7)
    )
    assert limit_per_split(rows, 2).select("conversation_id", "reply_index").rows() == [("a", 3), ("b", 1)]
    assert limit_per_split(rows, None).height == 3
