import json
from pathlib import Path
from typing import Any

import pytest

from turnabout.sources.detection import suggest_format
from turnabout.sources.sharegpt import ShareGPT
from turnabout.sources.table.batches import Batch


def read_batch(folder: Path, *logged: Any) -> Batch:
    (folder / "log.json").write_text(json.dumps(logged))
    source = ShareGPT(path=str(folder))
    (piece,) = source.list_pieces()
    (batch,) = source.read_batches(piece, suggest_format)
    return batch


def test_record_becomes_a_conversation_with_tool_calls_and_results(tmp_path: Path) -> None:
    spoken = [
        {"from": "human", "value": "Weather?"},
        {"from": "function_call", "value": '{"name": "weather"}'},
        {"from": "observation", "value": "21"},
        {"from": "gpt", "value": "<p>21 degrees</p>", "markdown": None},
    ]
    messages, rejected, *_ = read_batch(
        tmp_path, {"id": "s_0", "model": "m", "system": "Be brief.", "conversations": spoken, "x": 1}
    )
    assert messages.select("role", "text", "user_key", "extras").rows() == [
        ("system", "Be brief.", None, '{"conversation": {"x": 1}}'),
        ("user", "Weather?", "conversation:s_0", "{}"),
        ("assistant", "", None, '{"tool_calls": "{\\"name\\": \\"weather\\"}"}'),
        ("tool", "21", None, "{}"),
        ("assistant", "<p>21 degrees</p>", None, '{"markdown": null}'),
    ]
    assert set(messages["model"]) == {"m"}
    assert rejected.is_empty()


@pytest.mark.parametrize(
    ("record", "extras"),
    [
        ({"items": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "{}"),
        ({"conversation": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "{}"),
        ({"conversations": [{"from": "User", "value": "q"}, {"from": "bard", "value": "a"}]}, '{"product": "bard"}'),
    ],
)
def test_variants_of_exports_are_read_the_same(tmp_path: Path, record: Any, extras: str) -> None:
    messages, *_ = read_batch(tmp_path, record)
    assert messages.select("role", "text", "extras").rows() == [("user", "q", "{}"), ("assistant", "a", extras)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"conversations": [{"from": "narrator", "value": "q"}]}, "conversations.from: expected one of ['assistant',"),
        ({"conversations": [{"from": "human", "value": None}]}, "conversations.value: missing or null"),
        ({"conversations": [{"from": "human", "value": 5}]}, "conversations.value: expected `str | null`, got `int`"),
        ({"conversations": []}, "conversations: no message under any of"),
        ("hi", "record: expected `object`, got `str`; of no known format"),
    ],
)
def test_bad_record_is_rejected_with_the_reason(tmp_path: Path, record: Any, reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, record)
    assert messages.is_empty()
    assert rejected["record"].to_list() == ["log.json:[0]"]
    assert rejected["reason"][0].startswith(reason)
