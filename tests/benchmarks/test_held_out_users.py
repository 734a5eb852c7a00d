"""What the benchmark of half an hour's training learns from a conversation, and how much of one it foresees."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import strangers
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.parquet_parts import IncrementalTable
from turnabout.models import checkpoints
from turnabout.params import load_params

SHIPPED = ROOT / "params.yaml"

SAID = ["hi", "hello", "well?", "no", "ok", "bye"]  # tokens with the end of turn: 3, 6, 6, 3, 3, 4


@pytest.fixture
def talk(conversation: Callable[[Sequence[str]], dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([conversation(SAID)], schema=schemas.USER_SAMPLES)


def test_a_conversation_is_learnt_in_parts_of_whole_messages_and_left_in_the_last(
    talk: pl.DataFrame, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "LENGTH", 9)
    parts = strangers.parts(talk, checkpoints.load_chat(tiny_checkpoint))
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
    checkpoint = checkpoints.load_checkpoint(tiny_checkpoint)
    messages = [{"role": "system", "content": "chat"}, *talk["messages"][0]]
    row, size = strangers._beginning(checkpoint, messages)
    assert size == characters
    assert sum(row.is_target) == min(length, 25)
    assert row.is_target[-1]


def test_of_people_who_talk_much_everything_is_learnt_and_nobody_is_kept_for_validation(
    messages: Callable[..., pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evaluation_sets").mkdir()
    params = load_params(SHIPPED)
    before, after = (datetime(2018, month, 1, tzinfo=UTC) for month in (5, 10))
    cap = params.clean.max_conversations_per_person
    assert cap == 50
    spoken = [("ann", before)] * (cap + 1) + [(f"p{i}", before) for i in range(20)] + [("ann", after), ("zoe", after)]
    log = IncrementalTable(tmp_path / "data/ingested", schemas.MESSAGES)
    for n, (person, at) in enumerate(spoken):
        log.append(
            messages(
                f"c{n:02}", *[f"{word} {n} {person}" for word in ("red", "blue", "green", "grey")], user=person, at=at
            )
        )
    log.close()
    (tmp_path / "work").mkdir()
    said, splits = strangers.everybody(params, tmp_path / "work")
    of = dict(splits.group_by("split").agg("user_key").iter_rows())
    assert sorted(of) == ["test", "train"]
    assert (of["test"], len(of["train"])) == (["zoe"], cap + 1 + 20)
    assert said["conversation_id"].n_unique() == cap + 22
