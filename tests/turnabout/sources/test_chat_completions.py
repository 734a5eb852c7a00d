import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.chat_completions import ChatCompletions
from turnabout.sources.table.batches import Batch
from turnabout.sources.traffic.continuations import MAX_REPLIES


def build_history(*texts: str) -> list[dict[str, str]]:
    """Return messages of user and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def build_call(history: list[Any], *replies: str, user: str | None = "ann", number: int = 0) -> dict[str, Any]:
    choices = [{"message": {"role": "assistant", "content": reply}, "finish_reason": "stop"} for reply in replies]
    request = {"model": "m", "messages": history, **({"user": user} if user else {})}
    return {"request": request, "response": {"id": f"r{number}", "created": 60 * number, "choices": choices}}


def read_batch(folder: Path, *logged: Any) -> Batch:
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, logged)))
    source = ChatCompletions(path=str(folder))
    (piece,) = source.list_pieces()
    (batch,) = source.read_batches(piece)
    return batch


def list_texts(messages: pl.DataFrame) -> list[list[str]]:
    grouped = messages.group_by("conversation_id", maintain_order=True).agg("text")
    return grouped["text"].to_list()


def test_calls_that_repeat_the_history_are_one_conversation(tmp_path: Path) -> None:
    first, second = (
        build_call(build_history("q1"), "a1", number=1),
        build_call(build_history("q1", " a1\n", "q2"), "a2", number=2),
    )
    messages, rejected, *_ = read_batch(tmp_path, first, second)
    assert messages["conversation_id"].to_list() == ["r2"] * 4
    assert messages["text"].to_list() == ["q1", " a1\n", "q2", "a2"]
    times = [datetime(1970, 1, 1, 0, minute, tzinfo=UTC) for minute in (1, 2)]
    assert messages["at"].to_list() == [None, times[0], None, times[1]]
    assert messages["user_key"].to_list() == ["ann", None, "ann", None]
    assert rejected.is_empty()


def test_order_of_calls_does_not_matter(tmp_path: Path) -> None:
    messages, *_ = read_batch(
        tmp_path,
        build_call(build_history("q1", "a1", "q2"), "a2", number=2),
        build_call(build_history("q1"), "a1", number=1),
    )
    assert list_texts(messages) == [["q1", "a1", "q2", "a2"]]


def test_changing_system_message_does_not_split_a_conversation(tmp_path: Path) -> None:
    morning, noon = ([{"role": "developer", "content": f"It is {hour}."}] for hour in (8, 12))
    messages, *_ = read_batch(
        tmp_path,
        build_call(morning + build_history("q1"), "a1"),
        build_call(noon + build_history("q1", "a1", "q2"), "a2", number=1),
    )
    assert list_texts(messages) == [["It is 12.", "q1", "a1", "q2", "a2"]]


def test_continued_reply_has_the_other_replies_as_alternatives(tmp_path: Path) -> None:
    repeated = (
        build_call(build_history("q1"), "a1"),
        build_call(build_history("q1"), "b1", number=1),
        build_call(build_history("q1", "a1", "q2"), "a2", number=2),
    )
    messages, rejected, *_ = read_batch(tmp_path, *repeated)
    assert list_texts(messages) == [["q1", "a1", "q2", "a2"]]
    assert messages["alternatives"].to_list() == [None, ["b1"], None, None]
    assert rejected.is_empty()


def test_continued_choice_is_the_reply(tmp_path: Path) -> None:
    messages, *_ = read_batch(
        tmp_path,
        build_call(build_history("q1"), "a1", "b1"),
        build_call(build_history("q1", "b1", "q2"), "a2", number=1),
    )
    assert messages.select("text", "alternatives").rows()[1] == ("b1", ["a1"])


def test_last_reply_is_kept_when_none_is_continued(tmp_path: Path) -> None:
    messages, *_ = read_batch(
        tmp_path, build_call(build_history("q1"), "a1"), build_call(build_history("q1"), "b1", number=1)
    )
    assert list_texts(messages) == [["q1", "b1"]]
    assert messages["alternatives"].to_list() == [None, ["a1"]]


def test_two_continued_replies_make_two_conversations(tmp_path: Path) -> None:
    branches = (
        build_call(build_history("q1", "a1", "q2"), "a2", number=2),
        build_call(build_history("q1", "b1", "q3"), "a3", number=3),
    )
    messages, *_ = read_batch(
        tmp_path, build_call(build_history("q1"), "a1"), build_call(build_history("q1"), "b1", number=1), *branches
    )
    assert list_texts(messages) == [["q1", "a1", "q2", "a2"], ["q1", "b1", "q3", "a3"]]
    assert messages["alternatives"].to_list() == [None, ["b1"], None, None, None, ["a1"], None, None]


def test_same_question_of_unknown_people_is_no_regeneration(tmp_path: Path) -> None:
    calls = (
        build_call(build_history("hi"), "hello", user=None),
        build_call(build_history("hi"), "hey", "hi there", user=None, number=1),
    )
    messages, *_ = read_batch(tmp_path, *calls)
    assert list_texts(messages) == [["hi", "hello"], ["hi", "hey"]]
    assert messages["alternatives"].to_list() == [None, None, None, ["hi there"]]


def test_same_texts_of_two_people_are_two_conversations(tmp_path: Path) -> None:
    messages, *_ = read_batch(
        tmp_path,
        build_call(build_history("q1"), "a1"),
        build_call(build_history("q1", "a1", "q2"), "a2", user="bob", number=1),
    )
    assert list_texts(messages) == [["q1", "a1"], ["q1", "a1", "q2", "a2"]]


def test_replies_beyond_the_maximum_are_quarantined(tmp_path: Path) -> None:
    calls = [build_call(build_history("ping"), f"pong {number}", number=number) for number in range(MAX_REPLIES + 2)]
    messages, rejected, *_ = read_batch(tmp_path, *calls)
    assert messages["text"].to_list() == ["ping", "pong 15"]
    assert messages["alternatives"].to_list() == [None, [f"pong {number}" for number in range(15)]]
    assert rejected["reason"].to_list() == ["more than 16 replies to the same history of a person"] * 2


def test_tool_calls_tool_results_and_non_text_parts_are_kept(tmp_path: Path) -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "This?"}, {"type": "image_url", "image_url": {}}]}
    calling = {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}]}
    result = {"role": "tool", "tool_call_id": "t1", "content": "21"}
    first = {"request": {"messages": [asked]}, "response": {"choices": [{"message": calling}]}}
    messages, *_ = read_batch(tmp_path, first, build_call([asked, calling, result], "21 degrees", user=None))
    assert messages.select("role", "text", "extras").rows() == [
        ("user", "This?", '{"parts": ["image_url"]}'),
        ("assistant", "", '{"tool_calls": [{"id": "t1"}]}'),
        ("tool", "21", '{"tool_call_id": "t1"}'),
        ("assistant", "21 degrees", "{}"),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"input": {"messages": build_history("q")}, "output": {"choices": [{"message": {"content": "a"}}]}},
        {"input": build_history("q"), "output": "a"},
        {"input": build_history("q"), "output": {"role": "assistant", "content": "a"}},
        {"request_body": json.dumps({"messages": build_history("q")}), "response_body": json.dumps({"content": "a"})},
        {
            "custom_id": "1",
            "request": {"body": {"messages": build_history("q")}},
            "response": {"status_code": 200, "body": "a"},
        },
        {"messages": build_history("q"), "response": {"choices": [{"message": {"content": "a"}}]}, "trace_id": "t"},
    ],
)
def test_call_is_read_in_every_logged_shape(tmp_path: Path, record: dict[str, Any]) -> None:
    messages, rejected, *_ = read_batch(tmp_path, record)
    assert rejected.is_empty()
    assert messages["text"].to_list() == ["q", "a"]
    assert ChatCompletions.recognises(record) or isinstance(record["input"], list)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            {"request": {"messages": build_history("q")}, "response": None},
            "response: expected choices with a message each, got no",
        ),
        (
            {"request": {"messages": build_history("q")}, "response": {"error": {"type": "rate_limit"}}},
            "response: an error, not a reply: rate_limit",
        ),
        (
            {"request": {"messages": build_history("q")}, "response": {"status_code": 500, "body": {}}},
            "response: an error, not a reply: 500",
        ),
        (
            {"request": {"messages": build_history("q")}, "response": {"choices": [{"delta": {"content": "a"}}]}},
            "response.choices: the chunk of a stream",
        ),
        (
            {"request": {"messages": build_history("q")}, "response": {"choices": [{"message": {"content": ""}}]}},
            "response.choices.message: expected a text or tool calls",
        ),
        (
            {"custom_id": "1", "response": {"status_code": 200, "body": {"choices": []}}},
            "request: expected a list of messages under one of",
        ),
        (
            build_call([{"role": "user", "content": 5}], "a"),
            "request.messages.content: expected `str | array | null`, got `int`",
        ),
        (build_call([{"role": "bot", "content": "q"}], "a"), "request.messages.role: expected one of"),
        (build_call([5], "a"), "request.messages: expected `object`, got `int`"),
        ([], "record: expected an object with request and response, got list"),
    ],
)
def test_call_without_reply_is_rejected_with_the_reason(tmp_path: Path, record: Any, reason: str) -> None:
    messages, rejected, *_ = read_batch(tmp_path, record, build_call(build_history("q"), "a"))
    assert messages.height == 2
    ((location, rejection),) = rejected.select("record", "reason").rows()
    assert location == "log.jsonl:1"
    assert rejection.startswith(reason)
