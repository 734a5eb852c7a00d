"""Training and evaluation data of the benchmark with held-out users."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import held_out_users
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.parquet_parts import IncrementalTable
from turnabout.models import checkpoints
from turnabout.params import load_params

SHIPPED = ROOT / "params.yaml"

TEXTS = ["hi", "hello", "well?", "no", "ok", "bye"]  # tokens with the end of turn: 3, 6, 6, 3, 3, 4


@pytest.fixture
def talk(conversation: Callable[[Sequence[str]], dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([conversation(TEXTS)], schema=schemas.USER_SAMPLES)


def test_cut_into_parts_keeps_whole_messages_and_ends_in_the_last_part(
    talk: pl.DataFrame, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out_users, "LENGTH", 9)
    parts = held_out_users.cut_into_parts(talk, checkpoints.load_chat(tiny_checkpoint))
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
def test_cut_to_first_tokens_ends_with_the_last_predicted_token(
    talk: pl.DataFrame, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, length: int, characters: int
) -> None:
    monkeypatch.setattr(held_out_users, "LENGTH", length)
    checkpoint = checkpoints.load_checkpoint(tiny_checkpoint)
    messages = [{"role": "system", "content": "chat"}, *talk["messages"][0]]
    row, size = held_out_users._cut_to_first_tokens(checkpoint, messages)
    assert size == characters
    assert sum(row.is_target) == min(length, 25)
    assert row.is_target[-1]


def test_clean_and_split_log_caps_no_person_and_keeps_no_validation(
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
    kept, splits = held_out_users.clean_and_split_log(params, tmp_path / "work")
    of = dict(splits.group_by("split").agg("user_key").iter_rows())
    assert sorted(of) == ["test", "train"]
    assert (of["test"], len(of["train"])) == (["zoe"], cap + 1 + 20)
    assert kept["conversation_id"].n_unique() == cap + 22
