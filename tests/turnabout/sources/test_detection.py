import pytest

from benchmarks.log_samples import build_samples
from turnabout.sources import SOURCES
from turnabout.sources.detection import RECORD_FORMATS, describe_shape, detect_format, suggest_format

SHAREGPT = {"conversations": [{"from": "human", "value": "q"}]}
OPENAI = {"messages": [{"role": "user", "content": "q"}]}
CALL = {"request": {"messages": OPENAI["messages"]}, "response": {"choices": []}}


@pytest.mark.parametrize(
    ("record", "format_"),
    [(SHAREGPT, "sharegpt"), (OPENAI, "openai"), (CALL, "chat_completions"), (OPENAI | CALL, "chat_completions")],
)
def test_record_is_recognised_by_its_keys(record: object, format_: str) -> None:
    assert detect_format(record) == format_


@pytest.mark.parametrize("format_", RECORD_FORMATS)
def test_sample_of_every_format_is_recognised_as_itself_alone(format_: str) -> None:
    """No other format may know as many keys of the sample."""
    record = build_samples("mark")[format_]
    n_known = {name: source.count_known_keys(record) for name, source in RECORD_FORMATS.items()}
    rivals = [name for name, source in RECORD_FORMATS.items() if name != format_ and source.recognises(record)]
    assert RECORD_FORMATS[format_].recognises(record)
    assert [name for name in rivals if n_known[name] >= n_known[format_]] == []
    assert detect_format(record) == format_


CHAT = {"messages": OPENAI["messages"]}
REPLY = {"role": "assistant", "content": "a"}
CHOICES = {"choices": [{"message": REPLY}]}


@pytest.mark.parametrize(
    ("record", "format_"),
    [
        ({"id": "t", "sessionId": None, "userId": "ann", "input": CHAT, "output": REPLY}, "langfuse"),
        ({"id": "o", "trace_id": "t", "user_id": "ann", "input": CHAT, "output": CHOICES, "model": "m"}, "langfuse"),
        ({"id": "t", "projectId": "p", "userId": "ann", "input": CHAT, "output": "a", "createdAt": ""}, "langfuse"),
        ({"id": "c", "user_id": "ann", "input": CHAT, "output": CHOICES}, "chat_completions"),
        ({"id": "c", "trace_id": "t", "call_type": "c", "messages": [], "response": CHOICES}, "chat_completions"),
        ({"conversation_id": "c", "conversation_hash": "h", "conversation": [], "hashed_ip": "i"}, "wildchat"),
        (SHAREGPT | {"chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}, "sharegpt"),
        (OPENAI | {"label": True}, "openai"),
    ],
)
def test_record_of_two_formats_is_of_the_more_specific_one(record: object, format_: str) -> None:
    assert detect_format(record) == format_


@pytest.mark.parametrize("record", [None, [], {}, "q", 5, {"messages": 5}, {"conversations": [5]}, {"response": []}])
def test_no_format_recognises_or_fails_on_other_content(record: object) -> None:
    assert detect_format(record) is None


def test_hint_names_the_other_format_and_the_setting() -> None:
    assert suggest_format(SHAREGPT, "openai") == "; looks like sharegpt: set format: sharegpt"


def test_record_of_the_tried_format_has_no_hint() -> None:
    assert suggest_format(OPENAI, "openai") == ""


def test_hint_names_keys_and_known_formats_of_unknown_record() -> None:
    hint = suggest_format({"turns": [], "who": "ann", "n": None}, "openai")
    assert hint.startswith("; of no known format (chat_completions, ")
    assert hint.endswith("): keys n NoneType, turns list, who str")


def test_only_the_first_of_many_keys_are_shown() -> None:
    assert (
        describe_shape(dict.fromkeys("abcdefghij", 1))
        == "keys a int, b int, c int, d int, e int, f int, g int, h int and 2 more"
    )
    assert describe_shape({}) == "an empty object"
    assert describe_shape([1]) == "a list"


def test_table_of_record_formats_is_complete_and_sorted() -> None:
    recognising = [name for name, source in SOURCES.items() if "recognises" in vars(source)]
    assert list(RECORD_FORMATS) == sorted(recognising)
