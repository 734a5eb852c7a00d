"""What the benchmark of half an hour's training learns from a conversation, and how much of one it foresees."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import strangers
from turnabout import backbones, schemas

SAID = ["hi", "hello", "well?", "no", "ok", "bye"]  # tokens with the end of turn: 3, 6, 6, 3, 3, 4


@pytest.fixture
def talk(conversation: Callable[[Sequence[str]], dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([conversation(SAID)], schema=schemas.USER_SAMPLES)


def test_a_conversation_is_learnt_in_parts_of_whole_messages_and_left_in_the_last(
    talk: pl.DataFrame, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "LENGTH", 9)
    parts = strangers.parts(talk, backbones.load_chat(tiny_checkpoint))
    texts = parts["messages"].list.eval(pl.element().struct.field("content")).to_list()
    assert texts == [["hi", "hello"], ["well?", "no"], ["ok", "bye"]]  # 9, 9 and 7 tokens
    assert parts["target_indexes"].to_list() == [[0, 1]] * 3
    assert parts["begins"].to_list() == [True, False, False]
    assert parts["ends"].to_list() == [False, False, True]
    assert parts["conversation_id"].n_unique() == 3


@pytest.mark.parametrize(
    ("length", "characters"),
    [
        (2, 2),  # "hi", its end of turn not among them
        (3, 3),  # … which counts as one character
        (5, 3 + 2),
        (100, 3 + 6 + 6 + 3 + 3 + 4),  # all of it
    ],
)
def test_a_beginning_ends_with_the_last_token_that_is_foreseen(
    talk: pl.DataFrame, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, length: int, characters: int
) -> None:
    monkeypatch.setattr(strangers, "LENGTH", length)
    checkpoint = backbones.load(tiny_checkpoint)
    messages = [{"role": "system", "content": "chat"}, *talk["messages"][0]]
    row, size = strangers._beginning(checkpoint, messages)
    assert size == characters
    assert sum(row.is_target) == min(length, 25)
    assert row.is_target[-1]
