import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from turnabout import schemas
from turnabout.errors import DataError
from turnabout.sources import openai
from turnabout.sources.base import Batch
from turnabout.sources.openai import OpenAI

HI = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def line(**record: Any) -> bytes:
    return json.dumps({"messages": HI, **record}).encode()


def read(folder: Path, *lines: bytes) -> Batch:
    (folder / "log.jsonl").write_bytes(b"\n".join(lines))
    (batch,) = OpenAI(path=str(folder / "*.jsonl")).batches()
    return batch


def test_a_line_becomes_one_row_for_each_message(tmp_path: Path) -> None:
    reply = {
        "role": "assistant",
        "content": [{"type": "text", "text": "sorted"}, {"type": "text", "text": "(xs)"}],
        "rating": 1,
        "reaction": "thumbs_up",
        "edited_text": "xs.sort()",
        "alternatives": ["no"],
        "latency": 0.5,
    }
    asked = {"role": "user", "content": "Sort?", "created_at": 1714550400}
    messages, rejected = read(
        tmp_path, line(conversation_id="c1", user_id="ann", model="m-7", channel="web", messages=[asked, reply])
    )
    nothing = dict.fromkeys(schemas.MESSAGES)
    shared = {"conversation_id": "c1", "source": "openai", "model": "m-7"}
    assert messages.to_dicts() == [
        # date -u -d @1714550400 prints 2024-05-01 08:00:00
        nothing
        | shared
        | {"message_index": 0, "role": "user", "text": "Sort?", "at": datetime(2024, 5, 1, 8, tzinfo=UTC)}
        | {"user_key": "ann", "extras": '{"conversation": {"channel": "web"}}'},
        nothing
        | shared
        | {"message_index": 1, "role": "assistant", "text": "sorted\n(xs)", "rating": 1.0, "reaction": "thumbs_up"}
        | {"edited_text": "xs.sort()", "alternatives": ["no"], "extras": '{"latency": 0.5}'},
    ]
    assert messages.schema == schemas.MESSAGES
    assert rejected.is_empty()


def test_times_are_read_as_utc_whatever_their_zone(tmp_path: Path) -> None:
    times = ["2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00", "2024-05-01T08:00:00Z", 1714550400]
    asked = [{"role": "user", "content": "x", "created_at": time} for time in times]
    assert read(tmp_path, line(messages=asked)).messages["at"].to_list() == [datetime(2024, 5, 1, 8, tzinfo=UTC)] * 4


def test_a_conversation_without_id_is_named_by_its_messages(tmp_path: Path) -> None:
    """printf '[{"content":"hi","role":"user"},{"content":"hello","role":"assistant"}]' | sha256sum"""
    messages, _ = read(tmp_path, line())
    assert messages["conversation_id"].unique().to_list() == ["50e1029c69670155"]


def test_a_conversation_without_user_is_taken_for_another_persons(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, line(conversation_id="c1"), line(conversation_id="c2"))
    assert messages["user_key"].to_list() == ["conversation:c1", None, "conversation:c2", None]


def test_developer_is_read_as_system_and_only_the_user_has_a_key(tmp_path: Path) -> None:
    roles = ["developer", "system", "user", "assistant", "tool"]
    messages, _ = read(tmp_path, line(user_id=7, messages=[{"role": role, "content": "x"} for role in roles]))
    assert messages["role"].to_list() == ["system", "system", "user", "assistant", "tool"]
    assert messages["user_key"].to_list() == [None, None, "7", None, None]


def test_a_tool_call_without_text_is_kept_as_an_empty_message(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}]}
    messages, _ = read(tmp_path, line(messages=[HI[0], call]))
    assert messages.select("text", "extras").row(1) == ("", '{"tool_calls": [{"id": "t1"}]}')


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"messages": [', "broken JSON: EOF while parsing a list"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', "broken JSON: invalid unicode code point"),
        (rb'{"messages": [{"role": "user", "content": "\ud800"}]}', "broken JSON: unexpected end of hex escape"),
        (b"[]", "line: Input should be an object"),
        (b"{}", "messages: Field required"),
        (line(messages=[]), "messages: List should have at least 1 item after validation, not 0"),
        (line(messages=["hi"]), "messages: Input should be an object"),
        (line(conversation_id=["c"]), "conversation_id: Input should be a valid string"),
        (
            line(messages=[{"role": "bot", "content": "x"}]),
            "messages.role: Input should be 'system', 'developer', 'user', 'assistant' or 'tool'",
        ),
        (line(messages=[{"role": "user", "content": 5}]), "messages.content: Input should be a valid string"),
        (
            line(messages=[{"role": "user", "content": None}]),
            "messages: content may be absent or null only beside tool_calls",
        ),
        (
            line(messages=[{"role": "user", "content": [{"type": "image_url"}]}]),
            "messages.content: only text parts can be read, came 'image_url'",
        ),
        (
            line(messages=[{**HI[0], "rating": "great"}]),
            "messages.rating: Input should be a valid number, unable to parse string as a number",
        ),
        (line(messages=[{**HI[0], "rating": float("nan")}]), "messages.rating: Input should be a finite number"),
        (line(note=float("nan")), "Out of range float values are not JSON compliant"),
        (
            line(messages=[{**HI[0], "created_at": "yesterday"}]),
            "messages.created_at: Input should be a valid datetime or date, input is too short",
        ),
        (
            line(messages=[{**HI[0], "created_at": "0001-01-01T00:00:00+10:00"}]),
            "messages.created_at: lies outside the years 1 to 9999 in UTC",
        ),
    ],
)
def test_a_bad_line_is_rejected_with_its_place_and_the_reason(tmp_path: Path, bad: bytes, reason: str) -> None:
    messages, rejected = read(tmp_path, line(conversation_id="good"), bad)
    assert messages["conversation_id"].unique().to_list() == ["good"]
    excerpt = bad.decode("utf-8", "replace")[:200]
    assert rejected.rows() == [("log.jsonl", "log.jsonl:2", reason, excerpt)]


def test_the_second_line_with_a_conversation_id_is_rejected_even_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(conversation_id="c"))
    (tmp_path / "b.jsonl").write_bytes(line(conversation_id="c"))
    (batch,) = OpenAI(path=str(tmp_path / "*.jsonl")).batches()
    assert batch.messages.height == 2
    assert batch.quarantine.select("record", "reason").rows() == [
        ("b.jsonl:1", "conversation_id occurs earlier in the log")
    ]


def test_an_excerpt_has_at_most_200_characters(tmp_path: Path) -> None:
    assert read(tmp_path, ("é" * 500).encode()).quarantine["excerpt"].to_list() == ["é" * 200]


def test_blank_lines_line_ends_and_a_byte_order_mark_are_no_fault(tmp_path: Path) -> None:
    batch = read(tmp_path, b"\xef\xbb\xbf" + line(conversation_id="a") + b"\r", b"", b"  ", line(conversation_id="b"))
    assert batch.messages["conversation_id"].unique(maintain_order=True).to_list() == ["a", "b"]
    assert batch.quarantine.is_empty()


def test_an_empty_file_gives_an_empty_table(tmp_path: Path) -> None:
    batch = read(tmp_path)
    assert (batch.messages.height, batch.quarantine.height) == (0, 0)
    assert (batch.messages.schema, batch.quarantine.schema) == (schemas.MESSAGES, schemas.QUARANTINE)


def test_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "BATCH_MESSAGES", 3)
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(line(conversation_id=str(i)) for i in range(5)))
    batches = OpenAI(path=str(tmp_path / "log.jsonl")).batches()
    assert [batch.messages.height for batch in batches] == [4, 4, 2]


def test_a_path_that_matches_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*matches no file; put logs there"):
        OpenAI(path=str(tmp_path / "nowhere*")).batches()
