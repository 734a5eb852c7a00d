import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.sources.table.batches import Batch
from turnabout.sources.wildchat import WildChat

ANSWERED = datetime(2023, 5, 2, 10, 0, 9, tzinfo=UTC)


def build_message(role: str, content: str, **fields: Any) -> dict[str, Any]:
    """Return one message with every field of the release."""
    of_user = {"hashed_ip": None, "country": None, "state": None, "header": None, "timestamp": None}
    shared_fields = {"language": "French", "toxic": False, "redacted": False, "turn_identifier": 41}
    return {"role": role, "content": content, **of_user, **shared_fields, **fields}


def build_moderation(**scores: float) -> dict[str, Any]:
    return {
        "flagged": max(scores.values()) > 0.5,
        "categories": {k: v > 0.5 for k, v in scores.items()},
        "category_scores": scores,
    }


HEADER = {"accept-language": "fr", "user-agent": "Firefox"}
ASKED = build_message(
    "user", "Traduis: cat", toxic=True, hashed_ip="9ab0", country="France", state="Brittany", header=HEADER
)
REPLIED = build_message("assistant", "chat", redacted=True, timestamp=ANSWERED)
ROW = {
    "conversation_hash": "5e1f",
    "model": "gpt-4-0314",
    "timestamp": ANSWERED,
    "conversation": [ASKED, REPLIED],
    "turn": 1,
    "language": "French",
    "openai_moderation": [
        build_moderation(**{"hate": 0.7, "self-harm/intent": 0.1}),
        build_moderation(**{"hate": 0.1, "self-harm/intent": 0.0}),
    ],
    "detoxify_moderation": [{"toxicity": 0.81, "insult": 0.02}, {"toxicity": 0.01, "insult": 0.02}],
    "toxic": True,
    "redacted": True,
    "state": "Brittany",
    "country": "France",
    "hashed_ip": "9ab0",
    "header": HEADER,
}


def read_batch(folder: Path, *rows: dict[str, Any]) -> Batch:
    (folder / "log.jsonl").write_text("\n".join(json.dumps(row, default=datetime.isoformat) for row in rows))
    source = WildChat(path=str(folder / "log.jsonl"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def test_row_becomes_messages_with_person_time_and_flags(tmp_path: Path) -> None:
    messages, rejected, *_ = read_batch(tmp_path, ROW)
    nothing = dict.fromkeys(schemas.MESSAGES)
    shared = {"conversation_id": "wildchat:5e1f:41", "source": "wildchat", "model": "gpt-4-0314", "language": "fr"}
    origin = '"country": "France", "header": {"accept-language": "fr", "user-agent": "Firefox"}'
    flagged = '"moderation": {"hate": 0.7, "toxicity": 0.81}, "state": "Brittany", "turn_identifier": 41'
    assert [row | {"extras": json.loads(row["extras"])} for row in messages.to_dicts()] == [
        nothing
        | shared
        | {"message_index": 0, "role": "user", "text": "Traduis: cat", "user_key": "9ab0", "flags": ["toxic"]}
        | {"extras": json.loads(f"{{{origin}, {flagged}}}")},
        nothing
        | shared
        | {"message_index": 1, "role": "assistant", "text": "chat", "at": ANSWERED, "flags": ["redacted"]}
        | {"extras": {"turn_identifier": 41}},
    ]
    assert rejected.is_empty()


def test_parquet_gives_the_same_messages_as_json_lines(tmp_path: Path) -> None:
    pl.DataFrame([ROW]).write_parquet(tmp_path / "train-00000-of-00001.parquet")
    source = WildChat(path=str(tmp_path / "*.parquet"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.equals(read_batch(tmp_path, ROW).messages)


def test_same_texts_of_another_turn_are_another_conversation(tmp_path: Path) -> None:
    again = [message | {"turn_identifier": 42} for message in ROW["conversation"]]  # type: ignore[attr-defined]
    messages, *_ = read_batch(tmp_path, ROW, ROW | {"conversation": again})
    assert messages["conversation_id"].unique(maintain_order=True).to_list() == ["wildchat:5e1f:41", "wildchat:5e1f:42"]


def test_user_key_is_the_address_of_the_message(tmp_path: Path) -> None:
    conversation = [ASKED, REPLIED, ASKED | {"hashed_ip": "77cd"}]
    messages, *_ = read_batch(tmp_path, ROW | {"conversation": conversation})
    assert messages["user_key"].to_list() == ["9ab0", None, "77cd"]


def test_user_key_is_the_address_of_the_row_when_message_has_none(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, ROW | {"conversation": [ASKED | {"hashed_ip": None}, REPLIED]})
    assert messages["user_key"].to_list() == ["9ab0", None]


def test_row_of_required_fields_is_read_and_empty_text_stays(tmp_path: Path) -> None:
    bare = {"conversation_hash": "h", "conversation": [{"role": "user", "content": ""}]}
    messages, *_ = read_batch(tmp_path, bare)
    wanted = ["conversation_id", "text", "user_key", "flags", "extras"]
    assert messages.select(wanted).rows() == [("wildchat:h", "", "conversation:wildchat:h", [], "{}")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conversation": []}, "conversation: has no message"),
        ({"conversation": [{"role": "bot", "content": "x"}]}, "conversation.role: invalid enum value 'bot'"),
        ({"conversation": [ASKED | {"content": 3}]}, "conversation.content: expected `str`, got `int`"),
        ({"hashed_ip": 7}, "hashed_ip: expected `str | null`, got `int`"),
    ],
)
def test_row_with_a_wrong_field_is_rejected_with_its_name(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, ROW | change)
    assert messages.is_empty()
    assert rejected.select("record", "reason").rows() == [("log.jsonl:1", reason)]


def test_only_own_rows_are_recognised() -> None:
    assert WildChat.recognises(ROW)
    assert not WildChat.recognises({"conversation_id": "c", "conversation": []})
    assert not WildChat.recognises([ROW])
