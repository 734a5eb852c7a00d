import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pytest
from pydantic import ValidationError

from turnabout.errors import DataError
from turnabout.sources import SOURCES
from turnabout.sources.hub import Hub
from turnabout.sources.table.batches import Batch

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = f"hf://datasets/someone/chats@{COMMIT}"


def build_row(key: str, text: str = "hi") -> dict[str, Any]:
    return {"conversation_id": key, "conversation": [{"role": "user", "content": text}], "redacted": False}


def read_batch(source: Hub) -> Batch:
    (piece,) = source.list_pieces()
    (batch,) = source.read_batches(piece)
    return batch


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of a dataset's repository.

    It has two Parquet files of train and one of test.
    """
    copy = tmp_path / "chats"
    (copy / "data").mkdir(parents=True)
    for name, key in (("train-00000-of-00002", "a"), ("train-00001-of-00002", "b"), ("test-00000-of-00001", "c")):
        pl.DataFrame([build_row(key)]).write_parquet(copy / "data" / f"{name}.parquet")
    return copy


def test_rows_of_a_split_are_read_in_their_format(folder: Path) -> None:
    messages, rejected, *_ = read_batch(Hub(dataset=str(folder), rows="lmsys"))
    wanted = ["conversation_id", "text", "source"]
    assert messages.select(wanted).rows() == [("lmsys:a", "hi", "lmsys"), ("lmsys:b", "hi", "lmsys")]
    assert rejected.is_empty()
    test_split = read_batch(Hub(dataset=str(folder), rows="lmsys", split="test"))
    assert test_split.messages["conversation_id"].to_list() == ["lmsys:c"]


def test_streamed_rows_equal_rows_read_from_files(folder: Path) -> None:
    source = SOURCES["lmsys"].model_validate({"format": "lmsys", "path": str(folder / "data" / "train-*.parquet")})
    of_files = [batch.messages for piece in source.list_pieces() for batch in source.read_batches(piece)]
    assert read_batch(Hub(dataset=str(folder), rows="lmsys")).messages.equals(pl.concat(of_files))


def test_flat_trees_are_combined_from_a_stream(tmp_path: Path) -> None:
    shared = {"message_tree_id": "p", "lang": "en"}
    records = [
        {"message_id": "p", "parent_id": None, "role": "prompter", "text": "one?", **shared},
        {"message_id": "a", "parent_id": "p", "role": "assistant", "text": "two", **shared},
    ]
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / "train.jsonl").write_text("\n".join(map(json.dumps, records)))
    messages, *_ = read_batch(Hub(dataset=str(tmp_path / "trees"), rows="oasst"))
    assert messages.select("conversation_id", "text").rows() == [("oasst:p", "one?"), ("oasst:p", "two")]


def test_nested_trees_of_different_depths_are_streamed(tmp_path: Path) -> None:
    reply = {"message_id": "a", "role": "assistant", "text": "two", "labels": {"spam": {"value": 0.0, "count": 1}}}
    deep = {"message_id": "p", "role": "prompter", "text": "one?", "replies": [reply]}
    flat = {"message_id": "q", "role": "prompter", "text": "alone?", "replies": []}
    lines = [{"message_tree_id": tree["message_id"], "prompt": tree} for tree in (deep, flat)]
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    messages, rejected, *_ = read_batch(Hub(dataset=str(tmp_path / "trees"), rows="oasst"))
    assert messages.select("conversation_id", "text").rows() == [
        ("oasst:p", "one?"),
        ("oasst:p", "two"),
        ("oasst:q", "alone?"),
    ]
    assert rejected.is_empty()


def test_row_of_another_shape_is_rejected_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "chats").mkdir()
    pl.DataFrame([build_row("a"), build_row("b") | {"conversation": None}]).write_parquet(
        tmp_path / "chats" / "train.parquet"
    )
    messages, rejected, *_ = read_batch(Hub(dataset=str(tmp_path / "chats"), rows="lmsys"))
    assert messages.height == 1
    assert rejected.select("source", "record", "reason").rows() == [
        ("lmsys", "chats:train:row 2", "conversation: expected `array`, got `null`")
    ]


def test_address_is_loaded_by_name_commit_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {}

    def load_dataset(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        arguments.update(kwargs, args=args)
        return [build_row("a")]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = Hub(dataset=f"{ADDRESS}/data/train-*.parquet", rows="lmsys", config="en", split="test")
    assert read_batch(source).messages.height == 1
    assert arguments == {
        "args": ("someone/chats", "en"),
        "split": "test",
        "revision": COMMIT,
        "data_files": "data/train-*.parquet",
        "streaming": True,
    }
    assert source.list_pieces()[0].name == "someone--chats@0123456789ab:en:test"


def test_dvc_watches_a_folder_but_no_address(folder: Path) -> None:
    assert Hub(dataset=str(folder), rows="lmsys").list_inputs() == [str(folder)]
    assert Hub(dataset=ADDRESS, rows="lmsys").list_inputs() == []


def test_missing_split_raises_an_error_that_says_what_to_check(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"split nope.*Available splits.*check name, commit, config and split"
    ) as caught:
        read_batch(Hub(dataset=str(folder), rows="lmsys", split="nope"))
    assert "HF_TOKEN" in str(caught.value)


def test_broken_stream_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield build_row("a")
        raise ConnectionError("the line is dead\nlong story")

    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: broken())
    with pytest.raises(DataError, match=r"the line is dead; check name"):
        read_batch(Hub(dataset=ADDRESS, rows="lmsys"))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            {"dataset": "hf://datasets/someone/chats", "rows": "lmsys"},
            "not of the form hf://datasets/OWNER/NAME@COMMIT",
        ),
        ({"dataset": "hf://datasets/someone/chats@main", "rows": "lmsys"}, "COMMIT is the 40 digits"),
        ({"dataset": ADDRESS, "rows": "hub"}, "'hub' is not one of"),
        ({"dataset": ADDRESS, "rows": "chat_completions"}, "'chat_completions' is not one of"),
        ({"dataset": ADDRESS, "rows": "wildcat"}, "'wildcat' is not one of .*'wildchat'"),
    ],
)
def test_address_without_commit_and_unknown_rows_are_refused(entry: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Hub.model_validate(entry)
