"""Whose words are whose: both views, what the person never sees, and the wrong view refused."""

import pytest

from turnabout.intents.wording import FALLBACK
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import RequestMessage
from turnabout.serving.views import has_left, parse_situation

MARKER = "<left>"
INTENT = ("system", "trains")
TALK = [("user", "hi"), ("assistant", "hello")]


def messages(*said: tuple[str, str | None]) -> list[RequestMessage]:
    return [RequestMessage(role=role, content=content) for role, content in said]


def read(model: str, *said: tuple[str, str | None]) -> tuple[str, list[tuple[str, str]]]:
    found = parse_situation(messages(*said), model, MARKER)
    return found.intent, [(message["role"], message["content"]) for message in found.history]


def test_the_system_message_is_the_intent_and_the_natural_view_is_taken_as_it_is() -> None:
    assert read("user", INTENT, *TALK) == ("trains", TALK)


def test_the_flipped_view_exchanges_the_roles() -> None:
    assert read("user:flipped", INTENT, ("assistant", "hi"), ("user", "hello")) == ("trains", TALK)


@pytest.mark.parametrize("model", ["user", "user:flipped"])
def test_an_empty_conversation_is_the_same_in_both_views_and_has_a_general_intent(model: str) -> None:
    assert read(model) == (FALLBACK, [])


def test_an_assistant_that_says_nothing_has_still_had_its_turn() -> None:
    assert read("user", INTENT, ("user", "hi"), ("assistant", ""))[1] == [("user", "hi")]


def test_developer_is_another_name_for_system() -> None:
    assert read("user", ("developer", "trains")) == ("trains", [])


def test_what_tools_and_their_callers_say_is_not_seen_by_the_person() -> None:
    calls = [("assistant", None), ("tool", '{"departs": "9:00"}'), ("assistant", "At nine.")]
    assert read("user", INTENT, ("user", "when?"), *calls)[1] == [("user", "when?"), ("assistant", "At nine.")]


def test_the_marker_is_no_word_of_the_conversation() -> None:
    said = [("user", f"bye {MARKER}"), ("assistant", "bye")]
    assert read("user", *said)[1] == [("user", "bye"), ("assistant", "bye")]
    assert has_left(messages(*said), "user", MARKER)
    assert not has_left(messages(*said), "user:flipped", MARKER)  # there the assistant wrote it


@pytest.mark.parametrize(
    ("model", "last", "other"), [("user", "user", "user:flipped"), ("user:flipped", "assistant", "user")]
)
def test_the_wrong_view_is_refused_and_the_right_one_named(model: str, last: str, other: str) -> None:
    with pytest.raises(
        RefusedRequest, match=f"have role '{last}', which for model '{model}' .* ask model '{other}'"
    ) as refused:
        read(model, INTENT, (last, "hi"))
    assert refused.value.param == "messages"


def test_unknown_roles_are_told_with_what_came_and_what_is_allowed() -> None:
    told = (
        r"role critic came among \['user', 'critic'\]; model 'user' takes one system message first .*"
        "user, assistant, tool"
    )
    with pytest.raises(RefusedRequest, match=told):
        read("user", INTENT, ("user", "hi"), ("critic", "bad"))


def test_a_second_system_message_is_refused() -> None:
    with pytest.raises(RefusedRequest, match="role system came"):
        read("user", INTENT, INTENT)


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(RefusedRequest, match="'gpt' is not served; there are 'user' and 'user:flipped'") as refused:
        read("gpt")
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")
