"""Both views of a conversation, unseen messages, and refused views."""

import pytest

from turnabout.intents.wording import FALLBACK
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import RequestMessage
from turnabout.serving.views import has_ended, parse_situation

MARKER = "<left>"
INTENT = ("system", "trains")
TALK = [("user", "hi"), ("assistant", "hello")]


def make_messages(*rows: tuple[str, str | None]) -> list[RequestMessage]:
    return [RequestMessage(role=role, content=content) for role, content in rows]


def parse(model: str, *rows: tuple[str, str | None]) -> tuple[str, list[tuple[str, str]]]:
    situation = parse_situation(make_messages(*rows), model, MARKER)
    return situation.intent, [(message["role"], message["content"]) for message in situation.history]


def test_natural_view_keeps_roles_and_takes_the_system_message_as_intent() -> None:
    assert parse("user", INTENT, *TALK) == ("trains", TALK)


def test_flipped_view_exchanges_the_roles() -> None:
    assert parse("user:flipped", INTENT, ("assistant", "hi"), ("user", "hello")) == ("trains", TALK)


@pytest.mark.parametrize("model", ["user", "user:flipped"])
def test_empty_conversation_has_the_fallback_intent_in_both_views(model: str) -> None:
    assert parse(model) == (FALLBACK, [])


def test_empty_assistant_message_counts_as_a_turn() -> None:
    assert parse("user", INTENT, ("user", "hi"), ("assistant", ""))[1] == [("user", "hi")]


def test_developer_message_is_taken_as_system_message() -> None:
    assert parse("user", ("developer", "trains")) == ("trains", [])


def test_tool_messages_and_tool_calls_are_left_out() -> None:
    calls = [("assistant", None), ("tool", '{"departs": "9:00"}'), ("assistant", "At nine.")]
    assert parse("user", INTENT, ("user", "when?"), *calls)[1] == [("user", "when?"), ("assistant", "At nine.")]


def test_marker_is_removed_from_the_conversation_and_means_its_end() -> None:
    dialogue = [("user", f"bye {MARKER}"), ("assistant", "bye")]
    assert parse("user", *dialogue)[1] == [("user", "bye"), ("assistant", "bye")]
    assert has_ended(make_messages(*dialogue), "user", MARKER)
    assert not has_ended(make_messages(*dialogue), "user:flipped", MARKER)  # there the assistant wrote it


@pytest.mark.parametrize(
    ("model", "last", "other"), [("user", "user", "user:flipped"), ("user:flipped", "assistant", "user")]
)
def test_wrong_view_is_refused_with_the_name_of_the_other(model: str, last: str, other: str) -> None:
    with pytest.raises(
        RefusedRequest, match=f"has role '{last}', which for model '{model}' .* ask model '{other}'"
    ) as refused:
        parse(model, INTENT, (last, "hi"))
    assert refused.value.param == "messages"


def test_unknown_role_is_refused_with_the_allowed_roles() -> None:
    message = (
        r"role critic is not allowed among \['user', 'critic'\]; model 'user' takes one system message first .*"
        "user, assistant, tool"
    )
    with pytest.raises(RefusedRequest, match=message):
        parse("user", INTENT, ("user", "hi"), ("critic", "bad"))


def test_second_system_message_is_refused() -> None:
    with pytest.raises(RefusedRequest, match="role system is not allowed"):
        parse("user", INTENT, INTENT)


def test_unknown_model_is_not_found() -> None:
    with pytest.raises(RefusedRequest, match="'gpt' is not served; there are 'user' and 'user:flipped'") as refused:
        parse("gpt")
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")
