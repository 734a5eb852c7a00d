"""Your own conversation logs, in the form of chat-completion APIs.

A record is one conversation: a line of JSON lines or an item of a JSON list (with line breaks added here):

    {"conversation_id": "c1", "user_id": "ann", "model": "m-7", "channel": "web", "messages": [
      {"role": "user", "content": "Sort a list?", "created_at": 1714550400},
      {"role": "assistant", "content": [{"type": "text", "text": "sorted(xs)"}], "rating": 1, "reaction": "thumbs_up"}]}

becomes two messages, both of `model` m-7:

    conversation_id  message_index  role       text          at                    user_key  rating  reaction
    c1               0              user       Sort a list?  2024-05-01T08:00:00Z  ann       null    null
    c1               1              assistant  sorted(xs)    null                  null      1.0     thumbs_up

with `extras` {"conversation": {"channel": "web"}} and {}.

In a record only `messages` is required, in a message only `role` and `content`.
- `conversation_id` defaults to the first 16 hexadecimal digits of the SHA-256 of the roles and texts as JSON.
- `user_id` is kept as it is, so log a pseudonym. Without it every conversation counts as another person's
  (`conversation:<conversation_id>`), because splits are by person.
- `role` is system, developer (read as system), user, assistant or tool.
- `content` is a string or a list of text parts, joined by line breaks; null (read as no text) only beside `tool_calls`.
- `created_at` is Unix time, in seconds or milliseconds, or ISO 8601, UTC where it names no zone.
- `language` of a record, and `edited_text` and `alternatives` of a reply, fill the columns of these names.
- Feedback and times under other names, such as `label`, `chosen` and `rejected` of a record or `timestamp` of a
  message, are read as `feedback_keys.py` describes.
- Any other key is kept in `extras`: a message's in its own, the record's under `conversation` in that of message 0.
A record with an error anywhere is rejected whole.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, parse_time
from turnabout.sources.table.extras import select_other_keys
from turnabout.sources.table.feedback_keys import read_feedback_keys
from turnabout.sources.traffic.payloads import join_text_parts

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


#: The role of the table of messages for each role of chat-completion APIs.
ROLES = {"developer": "system", **{role: role for role in ("system", "user", "assistant", "tool")}}

#: Keys that fill columns. Calls of tools have no column, so they stay in the extras.
MESSAGE_KEYS = frozenset(Message.__struct_fields__) - {"tool_calls"}
CONVERSATION_KEYS = frozenset(Conversation.__struct_fields__)


class OpenAI(FileSource):
    """Records of `{conversation_id, user_id, model, messages}`.

    A message is `{role, content, …}`.
    """

    format: Literal["openai"] = "openai"
    record_keys: ClassVar[frozenset[str]] = CONVERSATION_KEYS

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record has a list of messages.

        A logged call of an API, with request and response, is not of this format.
        """
        if not isinstance(content, dict) or content.keys() & {"request", "response", "input", "output"}:
            return False
        return isinstance(content.get("messages"), list)

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a record."""
        record = msgspec.convert(content, Conversation)
        conversation = LoggedConversation(
            [build_message(message, raw) for message, raw in zip(record.messages, content["messages"], strict=True)],
            conversation_id=None if record.conversation_id is None else str(record.conversation_id),
            user_id=None if record.user_id is None else str(record.user_id),
            model=record.model,
            language=record.language,
            extras=select_other_keys(content, CONVERSATION_KEYS),
        )
        yield read_feedback_keys(conversation)


def build_message(message: Message, raw: Mapping[str, Any]) -> LoggedMessage:
    """Return one message.

    `raw` is the same message as it was logged. Raises `ValueError` for an unknown role, or without content.
    """
    if message.role not in ROLES:
        raise ValueError(f"messages.role: expected one of {sorted(ROLES)}, got {message.role!r:.40}")
    if message.content is None and not message.tool_calls:
        raise ValueError("messages: content may be absent or null only beside tool_calls")
    return LoggedMessage(
        role=ROLES[message.role],
        text=message.content if isinstance(message.content, str) else join_text_parts(message.content),
        at=None if message.created_at is None else parse_time(message.created_at, "messages.created_at"),
        rating=message.rating,
        reaction=message.reaction,
        edited_text=message.edited_text,
        alternatives=message.alternatives,
        extras=select_other_keys(raw, MESSAGE_KEYS),
    )
