import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from turnabout.core import schemas
from turnabout.sources.detection import suggest_format
from turnabout.sources.openai import OpenAI
from turnabout.sources.table.batches import Batch

HI = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def build_line(**record: Any) -> bytes:
    return json.dumps({"messages": HI, **record}).encode()


def read_batch(folder: Path, *lines: bytes) -> Batch:
    (folder / "log.jsonl").write_bytes(b"\n".join(lines))
    source = OpenAI(path=str(folder / "*.jsonl"))
    (piece,) = source.list_pieces()
    (batch,) = source.read_batches(piece, suggest_format)
    return batch


def test_record_becomes_one_row_per_message(tmp_path: Path) -> None:
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
    messages, rejected, *_ = read_batch(
        tmp_path, build_line(conversation_id="c1", user_id="ann", model="m-7", channel="web", messages=[asked, reply])
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


def test_times_of_any_zone_are_converted_to_utc(tmp_path: Path) -> None:
    times = ["2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00", "2024-05-01T08:00:00Z", 1714550400, 1714550400000]
    asked = [{"role": "user", "content": "x", "created_at": time} for time in times]
    assert (
        read_batch(tmp_path, build_line(messages=asked)).messages["at"].to_list()
        == [datetime(2024, 5, 1, 8, tzinfo=UTC)] * 5
    )


def test_missing_id_is_a_hash_of_roles_and_texts(tmp_path: Path) -> None:
    """Compare the id with a hash from the command line.

    printf '[["user","hi"],["assistant","hello"]]' | sha256sum
    """
    messages, *_ = read_batch(tmp_path, build_line(), build_line(messages=[{**message, "rating": 1} for message in HI]))
    assert messages["conversation_id"].unique().to_list() == ["8ba09e74ddca9dcb"]


def test_conversation_without_user_counts_as_another_persons(tmp_path: Path) -> None:
    messages, *_ = read_batch(tmp_path, build_line(conversation_id="c1"), build_line(conversation_id="c2"))
    assert messages["user_key"].to_list() == ["conversation:c1", None, "conversation:c2", None]


def test_developer_is_system_and_only_the_user_has_a_key(tmp_path: Path) -> None:
    roles = ["developer", "system", "user", "assistant", "tool"]
    messages, *_ = read_batch(
        tmp_path, build_line(user_id=7, messages=[{"role": role, "content": "x"} for role in roles])
    )
    assert messages["role"].to_list() == ["system", "system", "user", "assistant", "tool"]
    assert messages["user_key"].to_list() == [None, None, "7", None, None]


def test_tool_call_without_text_is_kept_as_an_empty_message(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}]}
    messages, *_ = read_batch(tmp_path, build_line(messages=[HI[0], call]))
    assert messages.select("text", "extras").row(1) == ("", '{"tool_calls": [{"id": "t1"}]}')


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"messages": [', "broken JSON: Input data was truncated"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', "broken JSON: not UTF-8"),
        (
            rb'{"messages": [{"role": "user", "content": "\ud800"}]}',
            "broken JSON: ",
        ),
        (b"{}", "record: object missing required field `messages`; of no known format"),
        (build_line(messages=[]), "messages: expected `array` of length >= 1"),
        (build_line(messages=["hi"]), "messages: expected `object`, got `str`"),
        (build_line(conversation_id=["c"]), "conversation_id: expected `int | str | null`, got `array`"),
        (build_line(conversation_id=""), "conversation_id: expected `str` of length >= 1"),
        (
            build_line(messages=[{"role": "bot", "content": "x"}]),
            "messages.role: expected one of ['assistant', 'developer', 'system', 'tool', 'user'], got 'bot'",
        ),
        (
            build_line(messages=[{"role": "user", "content": 5}]),
            "messages.content: expected `str | array | null`, got `int`",
        ),
        (
            build_line(messages=[{"role": "user", "content": None}]),
            "messages: content may be absent or null only beside tool_calls",
        ),
        (
            build_line(messages=[{"role": "user", "content": [{"type": "image_url"}]}]),
            "messages.content: only text parts can be read, came 'image_url'",
        ),
        (build_line(messages=[{**HI[0], "rating": "great"}]), "messages.rating: expected `float | null`, got `str`"),
        (build_line(messages=[{**HI[0], "rating": float("nan")}]), "broken JSON: invalid character"),
        (build_line(messages=[{**HI[0], "rating": 10**400}]), "messages.rating: number out of range"),
        (
            build_line(messages=[{**HI[0], "created_at": "yesterday"}]),
            "messages.created_at: expected Unix time or ISO 8601, between the years 1 and 9999 in UTC",
        ),
        (
            build_line(messages=[{**HI[0], "created_at": "0001-01-01T00:00:00+10:00"}]),
            "messages.created_at: expected Unix time or ISO 8601, between the years 1 and 9999 in UTC",
        ),
    ],
)
def test_bad_line_is_rejected_with_location_and_reason(tmp_path: Path, bad: bytes, reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, build_line(conversation_id="good"), bad)
    assert messages["conversation_id"].unique().to_list() == ["good"]
    excerpt = bad.decode("utf-8", "replace")[:200]
    ((source, record, rejection, shown),) = rejected.rows()
    assert (source, record, shown) == ("openai", "log.jsonl:2", excerpt)
    assert rejection.startswith(reason)


def test_excerpt_has_at_most_200_characters(tmp_path: Path) -> None:
    assert read_batch(tmp_path, ("é" * 500).encode()).quarantine["excerpt"].to_list() == ["é" * 200]


def test_blank_lines_line_ends_and_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    batch = read_batch(
        tmp_path, b"\xef\xbb\xbf" + build_line(conversation_id="a") + b"\r", b"", b"  ", build_line(conversation_id="b")
    )
    assert batch.messages["conversation_id"].unique(maintain_order=True).to_list() == ["a", "b"]
    assert batch.quarantine.is_empty()


def test_empty_file_gives_an_empty_table(tmp_path: Path) -> None:
    batch = read_batch(tmp_path)
    assert (batch.messages.height, batch.quarantine.height) == (0, 0)
    assert (batch.messages.schema, batch.quarantine.schema) == (schemas.MESSAGES, schemas.QUARANTINE)
