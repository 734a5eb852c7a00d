"""Criticised replies: which signals count, of which splits, and with which texts."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.feedback.judged_replies import limit_per_split, select_criticised_replies

Build = Callable[..., pl.DataFrame]
Signal = Callable[..., dict[str, Any]]


def select_replies(messages: Build, *signals: Any, split: str = "train", weak: Sequence[Any] = ()) -> pl.DataFrame:
    log = pl.concat([messages(c, "q1", "bad reply", "no!", "second", "bye", "end") for c in ("a", "b")])
    splits = [{"conversation_id": "a", "user_key": "ann", "split": split}]
    splits.append({"conversation_id": "b", "user_key": "bea", "split": "train"})
    feedback = pl.DataFrame(list(signals), schema=schemas.FEEDBACK)
    return select_criticised_replies(log, pl.DataFrame(splits, schema=schemas.SPLITS), feedback, weak)


def test_criticised_reply_has_its_history_and_follow_up(messages: Build, signal: Signal) -> None:
    row = select_replies(messages, signal("a", 3)).row(0, named=True)
    assert [m["content"] for m in row["prompt"]] == ["q1", "bad reply", "no!"]
    assert (row["reply"], row["follow_up"], row["user_key"], row["split"]) == ("second", "bye", "ann", "train")


def test_sat_and_weak_signals_do_not_criticise(messages: Build, signal: Signal) -> None:
    weak = signal("a", 3, category="clarification"), signal("b", 1, category="revision")
    assert select_replies(messages, signal("a", 1, label="sat"), *weak).is_empty()
    assert select_replies(messages, *weak, weak=["clarification"])["reply_index"].to_list() == [3]
    assert select_replies(messages, *weak, weak=["revision"])["conversation_id"].to_list() == ["b"]


def test_reply_that_replaced_another_is_not_criticised(messages: Build, signal: Signal) -> None:
    regenerated = signal("a", 1, category="regeneration")
    assert select_replies(messages, regenerated, signal("b", 1))["conversation_id"].to_list() == ["b"]


def test_signal_of_a_miner_counts_only_through_the_decision(messages: Build, signal: Signal) -> None:
    rows = select_replies(
        messages, signal("a", 1, confidence=0.6), {**signal("a", 1, confidence=0.9), "miner": "rules"}
    )
    assert rows.select("category", "confidence").rows() == [("complaint", 0.6)]
    assert select_replies(messages, {**signal("a", 1), "miner": "rules"}).is_empty()


def test_conversation_of_the_test_split_is_left_out(messages: Build, signal: Signal) -> None:
    assert select_replies(messages, signal("a", 1), signal("b", 1), split="test")["conversation_id"].to_list() == ["b"]


def test_limit_keeps_the_most_confident_replies_of_a_split(messages: Build, signal: Signal) -> None:
    rows = select_replies(
        messages, signal("a", 1, confidence=0.5), signal("a", 3, confidence=0.9), signal("b", 1, confidence=0.7)
    )
    assert limit_per_split(rows, 2).select("conversation_id", "reply_index").rows() == [("a", 3), ("b", 1)]
    assert limit_per_split(rows, None).height == 3
