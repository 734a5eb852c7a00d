"""Conversation logs of one's own: one conversation a record, its messages as chat-completion APIs write them.

A record, a line of JSON lines or an item of a JSON list (broken here for the page):

    {"conversation_id": "c1", "user_id": "ann", "model": "m-7", "channel": "web", "messages": [
      {"role": "user", "content": "Sort a list?", "created_at": 1714550400},
      {"role": "assistant", "content": [{"type": "text", "text": "sorted(xs)"}], "rating": 1, "reaction": "thumbs_up"}]}

becomes two messages, both of `model` m-7:

    conversation_id  message_index  role       text          at                    user_key  rating  reaction
    c1               0              user       Sort a list?  2024-05-01T08:00:00Z  ann       null    null
    c1               1              assistant  sorted(xs)    null                  null      1.0     thumbs_up

with `extras` {"conversation": {"channel": "web"}} and {}.

Of a record only `messages` must be there, of a message only `role` and `content`.
- `conversation_id` defaults to the first 16 hex digits of the SHA-256 of the roles and texts as JSON.
- `user_id` is kept as it comes, so log a pseudonym. Without it every conversation is taken for another person's
  (`conversation:<conversation_id>`), because splits are by person.
- `role` is system, developer (read as system), user, assistant or tool.
- `content` is a string or a list of text parts, joined by line breaks; null (read as no text) only beside `tool_calls`.
- `created_at` is Unix time, in seconds or milliseconds, or ISO 8601, UTC where it names no zone.
- `language` of a record, and `edited_text` and `alternatives` of a reply, fill the columns of these names.
- Any other key is kept in `extras`: a message's in its own, the record's under `conversation` in that of message 0.
A record that cannot be read whole is rejected whole.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, instant
from turnabout.sources.table.extras import others
from turnabout.sources.traffic.payloads import text_of

Id = Annotated[str, msgspec.Meta(min_length=1)] | int


class Message(msgspec.Struct):
    """One message of a record."""

    role: str
    content: str | list[Any] | None = None
    created_at: Any = None
    rating: float | None = None
    reaction: str | None = None
    edited_text: str | None = None
    alternatives: list[str] | None = None
    tool_calls: Any = None


class Conversation(msgspec.Struct):
    """One record."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    conversation_id: Id | None = None
    user_id: Id | None = None
    model: str | None = None
    language: str | None = None


#: Roles of chat-completion APIs as those of the table of messages.
ROLES = {"developer": "system", **{role: role for role in ("system", "user", "assistant", "tool")}}

#: Keys that fill columns; what tools were called has none, so it stays among the extras.
OF_MESSAGE = frozenset(Message.__struct_fields__) - {"tool_calls"}
OF_CONVERSATION = frozenset(Conversation.__struct_fields__)


class OpenAI(FileSource):
    """Records of `{conversation_id, user_id, model, messages: [{role, content, …}]}`."""

    format: Literal["openai"] = "openai"

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it has a list of messages, and is not the request of a logged call."""
        if not isinstance(content, dict) or content.keys() & {"request", "response", "input", "output"}:
            return False
        return isinstance(content.get("messages"), list)

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The one conversation of a record."""
        told = msgspec.convert(content, Conversation)
        yield LoggedConversation(
            [logged(message, raw) for message, raw in zip(told.messages, content["messages"], strict=True)],
            None if told.conversation_id is None else str(told.conversation_id),
            None if told.user_id is None else str(told.user_id),
            told.model,
            told.language,
            others(content, OF_CONVERSATION),
        )


def logged(message: Message, raw: Mapping[str, Any]) -> LoggedMessage:
    """One message. Raises `ValueError` where it says nothing, or nobody known says it."""
    if message.role not in ROLES:
        raise ValueError(f"messages.role: expected one of {sorted(ROLES)}, got {message.role!r:.40}")
    if message.content is None and not message.tool_calls:
        raise ValueError("messages: content may be absent or null only beside tool_calls")
    return LoggedMessage(
        ROLES[message.role],
        message.content if isinstance(message.content, str) else text_of(message.content),
        None if message.created_at is None else instant(message.created_at, "messages.created_at"),
        message.rating,
        message.reaction,
        message.edited_text,
        message.alternatives,
        extras=others(raw, OF_MESSAGE),
    )
