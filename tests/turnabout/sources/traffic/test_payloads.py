from typing import Any

import pytest

from turnabout.sources.traffic.payloads import InputMessage, find_model, parse_input, parse_output

HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "payload",
    [
        "hi",
        HI,
        [HI],  # LangChain: one list of messages per call
        {"messages": HI, "model": "m-7", "temperature": 0},
        '{"messages": [{"role": "user", "content": "hi"}]}',
        {"input": HI},
        {"input": "hi", "model": "m-7"},
        {"question": "hi", "user_id": "ann"},
        {"said": "hi"},
        {"args": ["hi"], "kwargs": {}},
        {"args": [], "kwargs": {"question": "hi"}},
        {"messages": [{"type": "human", "content": [{"type": "text", "text": "hi"}]}]},
    ],
)
def test_input_is_parsed_in_every_shape(payload: Any) -> None:
    assert parse_input(payload) == [InputMessage("user", "hi")]


def test_system_prompt_beside_the_messages_comes_first() -> None:
    assert parse_input({"system": "Be kind.", "messages": HI}) == [
        InputMessage("system", "Be kind."),
        InputMessage("user", "hi"),
    ]
    assert parse_input({"instructions": "Be kind.", "input": "hi"}) == [
        InputMessage("system", "Be kind."),
        InputMessage("user", "hi"),
    ]


def test_tool_calls_are_messages_without_text() -> None:
    calls = [*HI, {"role": "assistant", "content": None, "tool_calls": [{}]}, {"role": "tool", "content": "3"}]
    assert parse_input(calls) == [InputMessage("user", "hi"), InputMessage("assistant", ""), InputMessage("tool", "3")]


@pytest.mark.parametrize(
    "payload",
    [
        "hello",
        {"choices": [{"message": {"role": "assistant", "content": "hello"}}]},
        '{"choices": [{"message": {"role": "assistant", "content": "hello"}}]}',
        {"role": "assistant", "content": [{"type": "text", "text": "hello"}]},
        {"content": [{"type": "text", "text": "hello"}], "role": "assistant", "model": "m-7"},
        {
            "output": [
                {"type": "reasoning"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
            ]
        },
        {"messages": [*HI, {"type": "ai", "content": "hello"}]},
        [{"role": "assistant", "content": "hm"}, {"role": "assistant", "content": "hello"}],
        {"answer": "hello", "sources": ["x"]},
        {"content": "hello"},
    ],
)
def test_output_is_parsed_in_every_shape(payload: Any) -> None:
    assert parse_output(payload) == "hello"


@pytest.mark.parametrize("text", ['{"temperature": 21, "city": "Oslo"}', "[1, 2]", "{not JSON", "[citation needed]"])
def test_reply_that_looks_like_json_stays_unchanged(text: str) -> None:
    assert parse_output(text) == text


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "input: holds no message, came NoneType"),
        ({"a": 1, "b": "x", "c": "y"}, r"input: no text under the keys \['a', 'b', 'c'\]"),
        ([], "messages: none there"),
        (["hi"], "messages: expected objects, came str"),
        ([{"role": "narrator", "content": "x"}], r"messages.role: expected one of .*, got 'narrator'"),
        ([{"role": {"role": "user"}, "content": "x"}], r"messages.role: expected one of .*, got \{"),
        ([{"role": "user", "content": 5}], "messages.content: expected text or parts, came int"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "only text parts can be read, came 'image_url'"),
    ],
)
def test_input_of_another_shape_is_refused(payload: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_input(payload)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "output: holds no reply, came NoneType"),
        ({"score": 1}, r"output: no reply under the keys \['score'\]"),
        (HI, "output: holds no message of the assistant"),
    ],
)
def test_output_of_another_shape_is_refused(payload: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_output(payload)


def test_first_named_model_is_returned() -> None:
    assert find_model("hi", {"model": ""}, {"model": "m-7"}) == "m-7"
    assert find_model("hi", ["x"]) is None
