import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.sources.base import Batch
from turnabout.sources.chat_completions import ChatCompletions
from turnabout.sources.traffic.continuations import MOST_REPLIES


def said(*texts: str) -> list[dict[str, str]]:
    """Messages of user and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def call(history: list[dict[str, Any]], *replies: str, user: str | None = "ann", number: int = 0) -> dict[str, Any]:
    choices = [{"message": {"role": "assistant", "content": reply}, "finish_reason": "stop"} for reply in replies]
    request = {"model": "m", "messages": history, **({"user": user} if user else {})}
    return {"request": request, "response": {"id": f"r{number}", "created": 60 * number, "choices": choices}}


def read(folder: Path, *logged: Any) -> Batch:
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, logged)))
    source = ChatCompletions(path=str(folder))
    (piece,) = source.pieces()
    (batch,) = source.batches(piece)
    return batch


def texts(messages: pl.DataFrame) -> list[list[str]]:
    grouped = messages.group_by("conversation_id", maintain_order=True).agg("text")
    return grouped["text"].to_list()


def test_calls_that_repeat_the_history_are_one_conversation_with_the_time_of_each_reply(tmp_path: Path) -> None:
    first, second = call(said("q1"), "a1", number=1), call(said("q1", " a1\n", "q2"), "a2", number=2)
    messages, rejected = read(tmp_path, first, second)
    assert messages["conversation_id"].to_list() == ["r2"] * 4
    assert messages["text"].to_list() == ["q1", " a1\n", "q2", "a2"]
    times = [datetime(1970, 1, 1, 0, minute, tzinfo=UTC) for minute in (1, 2)]
    assert messages["at"].to_list() == [None, times[0], None, times[1]]
    assert messages["user_key"].to_list() == ["ann", None, "ann", None]
    assert rejected.is_empty()


def test_the_order_of_the_calls_does_not_matter(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, call(said("q1", "a1", "q2"), "a2", number=2), call(said("q1"), "a1", number=1))
    assert texts(messages) == [["q1", "a1", "q2", "a2"]]


def test_a_system_message_with_the_time_of_day_does_not_part_a_conversation(tmp_path: Path) -> None:
    morning, noon = ([{"role": "developer", "content": f"It is {hour}."}] for hour in (8, 12))
    messages, _ = read(tmp_path, call(morning + said("q1"), "a1"), call(noon + said("q1", "a1", "q2"), "a2", number=1))
    assert texts(messages) == [["It is 12.", "q1", "a1", "q2", "a2"]]


def test_the_reply_a_person_went_on_from_has_the_others_as_alternatives(tmp_path: Path) -> None:
    asked_again = call(said("q1"), "a1"), call(said("q1"), "b1", number=1), call(said("q1", "a1", "q2"), "a2", number=2)
    messages, rejected = read(tmp_path, *asked_again)
    assert texts(messages) == [["q1", "a1", "q2", "a2"]]
    assert messages["alternatives"].to_list() == [None, ["b1"], None, None]
    assert rejected.is_empty()


def test_of_several_choices_the_one_a_person_went_on_from_is_the_reply(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, call(said("q1"), "a1", "b1"), call(said("q1", "b1", "q2"), "a2", number=1))
    assert messages.select("text", "alternatives").rows()[1] == ("b1", ["a1"])


def test_a_person_who_went_on_from_no_reply_was_left_with_the_last(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, call(said("q1"), "a1"), call(said("q1"), "b1", number=1))
    assert texts(messages) == [["q1", "b1"]]
    assert messages["alternatives"].to_list() == [None, ["a1"]]


def test_going_on_from_two_replies_makes_two_conversations(tmp_path: Path) -> None:
    branches = call(said("q1", "a1", "q2"), "a2", number=2), call(said("q1", "b1", "q3"), "a3", number=3)
    messages, _ = read(tmp_path, call(said("q1"), "a1"), call(said("q1"), "b1", number=1), *branches)
    assert texts(messages) == [["q1", "a1", "q2", "a2"], ["q1", "b1", "q3", "a3"]]
    assert messages["alternatives"].to_list() == [None, ["b1"], None, None, None, ["a1"], None, None]


def test_strangers_who_ask_the_same_are_not_one_person_asking_again(tmp_path: Path) -> None:
    strangers = (call(said("hi"), "hello", user=None), call(said("hi"), "hey", "hi there", user=None, number=1))
    messages, _ = read(tmp_path, *strangers)
    assert texts(messages) == [["hi", "hello"], ["hi", "hey"]]
    assert messages["alternatives"].to_list() == [None, None, None, ["hi there"]]


def test_two_people_with_the_same_words_are_two_conversations(tmp_path: Path) -> None:
    messages, _ = read(tmp_path, call(said("q1"), "a1"), call(said("q1", "a1", "q2"), "a2", user="bob", number=1))
    assert texts(messages) == [["q1", "a1"], ["q1", "a1", "q2", "a2"]]


def test_replies_beyond_the_most_kept_are_quarantined_not_lost(tmp_path: Path) -> None:
    calls = [call(said("ping"), f"pong {number}", number=number) for number in range(MOST_REPLIES + 2)]
    messages, rejected = read(tmp_path, *calls)
    assert messages["text"].to_list() == ["ping", "pong 15"]
    assert messages["alternatives"].to_list() == [None, [f"pong {number}" for number in range(15)]]
    assert rejected["reason"].to_list() == ["more than 16 replies to the same history of a person"] * 2


def test_calls_and_results_of_tools_and_parts_that_are_no_text_are_kept(tmp_path: Path) -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "This?"}, {"type": "image_url", "image_url": {}}]}
    calling = {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}]}
    result = {"role": "tool", "tool_call_id": "t1", "content": "21"}
    first = {"request": {"messages": [asked]}, "response": {"choices": [{"message": calling}]}}
    messages, _ = read(tmp_path, first, call([asked, calling, result], "21 degrees", user=None))
    assert messages.select("role", "text", "extras").rows() == [
        ("user", "This?", '{"parts": ["image_url"]}'),
        ("assistant", "", '{"tool_calls": [{"id": "t1"}]}'),
        ("tool", "21", '{"tool_call_id": "t1"}'),
        ("assistant", "21 degrees", "{}"),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"input": {"messages": said("q")}, "output": {"choices": [{"message": {"content": "a"}}]}},
        {"input": said("q"), "output": "a"},
        {"input": said("q"), "output": {"role": "assistant", "content": "a"}},
        {"request_body": json.dumps({"messages": said("q")}), "response_body": json.dumps({"content": "a"})},
        {"custom_id": "1", "request": {"body": {"messages": said("q")}}, "response": {"status_code": 200, "body": "a"}},
        {"messages": said("q"), "response": {"choices": [{"message": {"content": "a"}}]}, "trace_id": "t"},
    ],
)
def test_the_ways_in_which_calls_are_logged(tmp_path: Path, record: dict[str, Any]) -> None:
    messages, rejected = read(tmp_path, record)
    assert rejected.is_empty()
    assert messages["text"].to_list() == ["q", "a"]
    assert ChatCompletions.recognises(record) or isinstance(record["input"], list)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            {"request": {"messages": said("q")}, "response": None},
            "response: expected choices with a message each, got no",
        ),
        (
            {"request": {"messages": said("q")}, "response": {"error": {"type": "rate_limit"}}},
            "response: an error, not a reply: rate_limit",
        ),
        (
            {"request": {"messages": said("q")}, "response": {"status_code": 500, "body": {}}},
            "response: an error, not a reply: 500",
        ),
        (
            {"request": {"messages": said("q")}, "response": {"choices": [{"delta": {"content": "a"}}]}},
            "response.choices: the chunk of a stream",
        ),
        (
            {"request": {"messages": said("q")}, "response": {"choices": [{"message": {"content": ""}}]}},
            "response.choices.message: expected a text or tool calls",
        ),
        (
            {"custom_id": "1", "response": {"status_code": 200, "body": {"choices": []}}},
            "request: expected a list of messages under one of",
        ),
        (
            call([{"role": "user", "content": 5}], "a"),
            "request.messages.content: expected `str | array | null`, got `int`",
        ),
        (call([{"role": "bot", "content": "q"}], "a"), "request.messages.role: expected one of"),
        (call([5], "a"), "request.messages: expected `object`, got `int`"),
        ([], "record: expected an object with request and response, got list"),
    ],
)
def test_a_call_without_a_reply_is_rejected_with_the_reason(tmp_path: Path, record: Any, reason: str) -> None:
    messages, rejected = read(tmp_path, record, call(said("q"), "a"))
    assert messages.height == 2
    ((where, told),) = rejected.select("record", "reason").rows()
    assert where == "log.jsonl:1"
    assert told.startswith(reason)
