import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.sources.lmsys import Lmsys
from turnabout.sources.table.batches import Batch

ROW = {
    "conversation_id": "7d20",
    "model": "vicuna-13b",
    "conversation": [{"content": "Oi, sou NAME_1", "role": "user"}, {"content": "Oi, NAME_1!", "role": "assistant"}],
    "turn": 1,
    "language": "Portuguese",
    "openai_moderation": [
        {"categories": {"hate": True}, "category_scores": {"hate": 0.6}, "flagged": True},
        {"categories": {"hate": False}, "category_scores": {"hate": 0.0}, "flagged": False},
    ],
    "redacted": True,
}


def read_batch(folder: Path, *rows: dict[str, Any]) -> Batch:
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = Lmsys(path=str(folder / "log.jsonl"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def test_row_becomes_messages_of_an_unknown_person(tmp_path: Path) -> None:
    messages, rejected, *_ = read_batch(tmp_path, ROW)
    nothing = dict.fromkeys(schemas.MESSAGES)
    shared = {"conversation_id": "lmsys:7d20", "source": "lmsys", "model": "vicuna-13b", "language": "pt"}
    assert [row | {"extras": json.loads(row["extras"])} for row in messages.to_dicts()] == [
        nothing
        | shared
        | {"message_index": 0, "role": "user", "text": "Oi, sou NAME_1", "user_key": "conversation:lmsys:7d20"}
        | {"flags": ["toxic", "redacted"], "extras": {"moderation": {"hate": 0.6}}},
        nothing
        | shared
        | {"message_index": 1, "role": "assistant", "text": "Oi, NAME_1!", "flags": ["redacted"], "extras": {}},
    ]
    assert rejected.is_empty()


def test_parquet_gives_the_same_messages_as_json_lines(tmp_path: Path) -> None:
    pl.DataFrame([ROW]).write_parquet(tmp_path / "train-00000-of-00001.parquet")
    source = Lmsys(path=str(tmp_path / "*.parquet"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.equals(read_batch(tmp_path, ROW).messages)


def test_moderation_may_be_missing_or_of_another_length(tmp_path: Path) -> None:
    verdicts = ROW["openai_moderation"]
    rows = [ROW | {"openai_moderation": value} for value in (None, verdicts[:1], [*verdicts, verdicts[0]])]  # type: ignore[index, misc]
    messages, *_ = read_batch(tmp_path, *rows)
    assert messages["text"].to_list() == ["Oi, sou NAME_1", "Oi, NAME_1!"] * 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conversation_id": 7}, "conversation_id: expected `str`, got `int`"),
        ({"conversation": None}, "conversation: expected `array`, got `null`"),
        ({"openai_moderation": [{"flagged": "no"}]}, "openai_moderation.flagged: expected `bool | null`, got `str`"),
        ({"conversation": []}, "messages: expected at least one, got none"),
    ],
)
def test_row_with_a_wrong_field_is_rejected_with_its_name(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, ROW | change)
    assert messages.is_empty()
    assert rejected.select("record", "reason").rows() == [("log.jsonl:1", reason)]


def test_only_own_rows_are_recognised() -> None:
    assert Lmsys.recognises(ROW)
    assert not Lmsys.recognises({"conversation_hash": "c", "conversation": []})
    assert not Lmsys.recognises({"conversation_id": "c", "messages": []})
