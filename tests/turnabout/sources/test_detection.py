import pytest

from turnabout.sources import SOURCES
from turnabout.sources.detection import formats_of, hint, shape

SHAREGPT = {"conversations": [{"from": "human", "value": "q"}]}
OPENAI = {"messages": [{"role": "user", "content": "q"}]}
CALL = {"request": {"messages": OPENAI["messages"]}, "response": {"choices": []}}


@pytest.mark.parametrize(
    ("record", "format_"),
    [(SHAREGPT, "sharegpt"), (OPENAI, "openai"), (CALL, "chat_completions"), (OPENAI | CALL, "chat_completions")],
)
def test_a_record_is_known_by_its_keys(record: object, format_: str) -> None:
    assert formats_of(record) == [format_]


@pytest.mark.parametrize("record", [None, [], {}, "q", 5, {"messages": 5}, {"conversations": [5]}, {"response": []}])
def test_no_format_fails_on_or_takes_what_is_none(record: object) -> None:
    assert formats_of(record) == []


def test_a_record_of_another_format_is_told_with_what_to_set() -> None:
    assert hint(SHAREGPT, SOURCES["openai"]) == "; looks like sharegpt: set format: sharegpt"


def test_a_record_of_the_format_tried_needs_no_hint() -> None:
    assert hint(OPENAI, SOURCES["openai"]) == ""


def test_an_unknown_record_is_told_by_its_keys_and_the_known_formats() -> None:
    told = hint({"turns": [], "who": "ann", "n": None}, SOURCES["openai"])
    assert told.startswith("; of no known format (chat_completions, ")
    assert told.endswith("): keys n NoneType, turns list, who str")


def test_of_many_keys_the_first_are_told() -> None:
    assert (
        shape(dict.fromkeys("abcdefghij", 1))
        == "keys a int, b int, c int, d int, e int, f int, g int, h int and 2 more"
    )
    assert shape({}) == "an empty object"
    assert shape([1]) == "a list"
