from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from turnabout.core import schemas
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.message_table import MessageTable


def test_fields_of_a_conversation_stand_with_each_message() -> None:
    table = MessageTable("openai")
    at = datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=2)))
    reply = LoggedMessage(
        "assistant", "a", rating=1, alternatives=["b"], preferences=[None], flags=("toxic",), model="n"
    )
    asked = LoggedMessage("user", "q", at, extras={"b": 1, "a": at})
    table.add(LoggedConversation([asked, reply], "c", user_id="ann", model="m", language="en", extras={"x": 1}))
    frame = table.to_frame()
    assert frame.schema == schemas.MESSAGES
    first, second = frame.to_dicts()
    extras = '{"a": "2024-05-01 10:00:00+02:00", "b": 1, "conversation": {"x": 1}}'
    assert (first["user_key"], first["model"], first["at"], first["extras"]) == ("ann", "m", at, extras)
    assert (second["user_key"], second["model"], second["message_index"], second["language"]) == (None, "n", 1, "en")
    assert (second["rating"], second["alternatives"], second["preferences"]) == (1.0, ["b"], [None])
    assert (second["flags"], second["extras"]) == (["toxic"], "{}")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"role": "bot"}, r"role: expected one of \['assistant', 'system', 'tool', 'user'\], got \['bot'\]"),
        ({"text": "\ud800"}, "a lone surrogate"),
        ({"alternatives": ["\ud800"]}, "a lone surrogate"),
        ({"user_key": "\ud800"}, "a lone surrogate"),
        ({"extras": {"k": "\ud800"}}, "a lone surrogate"),
        ({"extras": {"k": float("nan")}}, "extras: cannot be kept as JSON"),
        ({"rating": float("inf")}, "rating: expected a finite number"),
        ({"rating": 10**400}, "rating: expected a finite number"),
        ({"preferences": [0.5, float("nan")]}, "preferences: expected a finite number"),
        ({"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))}, "outside the years 1 to 9999"),
    ],
)
def test_conversation_that_no_table_can_hold_is_refused_whole(wrong: dict[str, Any], reason: str) -> None:
    table, fine = MessageTable("openai"), LoggedMessage("user", "q")
    with pytest.raises(ValueError, match=reason):
        table.add(LoggedConversation([fine, fine._replace(**wrong)]))
    assert len(table) == 0
    assert table.to_frame().is_empty()


def test_conversation_without_messages_is_refused() -> None:
    with pytest.raises(ValueError, match="messages: expected at least one, got none"):
        MessageTable("openai").add(LoggedConversation([]))
