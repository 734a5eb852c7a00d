"""ShareGPT: conversations as lists of `from` and `value`.

Files are JSON lists, JSON lines or the Hub's Parquet. A record (with line breaks added here):

    {"id": "QWJhYvA_0", "model": "m-7", "conversations": [
      {"from": "human", "value": "Weather in Rome?"},
      {"from": "function_call", "value": "{\\"name\\": \\"weather\\", \\"arguments\\": {\\"city\\": \\"Rome\\"}}"},
      {"from": "observation", "value": "{\\"degrees\\": 21}"},
      {"from": "gpt", "value": "21 degrees."}]}

becomes four messages of conversation QWJhYvA_0, all of `model` m-7:

    message_index  role       text             user_key                extras
    0              user       Weather in Rome? conversation:QWJhYvA_0  {}
    1              assistant                   null                    {"tool_calls": "{\\"name\\": \\"weather\\", …}"}
    2              tool       {"degrees": 21}  null                    {}
    3              assistant  21 degrees.      null                    {}

- The list is `conversations`, `conversation` or, in early exports, `items`; a message may also be `{role, content}`.
- `from` is one of `ROLES`, in upper or lower case; the product that replied (`chatgpt`, `bing`, `bard`) is kept in
  `extras`.
- `system` of a record is its first message. Values stay as they are, HTML included.
- An export in parts (ids ending in `_0`, `_1`, …) is one conversation a part, as it was shared.
- The format has no person: each conversation counts as another person's.
- `chosen` and `rejected` of a record, its `label` and other feedback are read as `feedback_keys.py` describes.
- Any other key goes to `extras`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import select_other_keys
from turnabout.sources.table.feedback_keys import read_feedback_keys

#: The role for each value of `from`. A call of a function is a message of the assistant without text.
ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bing", "bard", "claude", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response"), "tool"),
    "tool_call": "assistant",
    "system": "system",
}

CALLS = ("function_call", "tool_call")
PRODUCTS = ("chatgpt", "bing", "bard", "claude")
LISTS = ("conversations", "conversation", "items")


class Message(msgspec.Struct):
    """One message; `from` is `role` in some exports and `value` is `content`."""

    from_: str | None = msgspec.field(default=None, name="from")
    value: str | None = None
    role: str | None = None
    content: str | None = None


class Conversation(msgspec.Struct):
    """One record."""

    id: str | int | None = None
    model: str | None = None
    system: str | None = None
    conversations: list[Message] | None = None
    conversation: list[Message] | None = None
    items: list[Message] | None = None


class ShareGPT(FileSource):
    """Records of `{id, conversations: [{from, value}]}`."""

    format: Literal["sharegpt"] = "sharegpt"
    record_keys: ClassVar[frozenset[str]] = frozenset(Conversation.__struct_fields__)

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether the first message of a record has the key `from`."""
        lists = [content.get(name) for name in LISTS] if isinstance(content, dict) else []
        firsts = [messages[0] for messages in lists if isinstance(messages, list) and messages]
        return any(isinstance(message, dict) and "from" in message for message in firsts)

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a record."""
        record = msgspec.convert(content, Conversation)
        key = next((name for name in LISTS if content.get(name)), None)
        if key is None:
            raise ValueError(f"conversations: no message under any of {LISTS}")
        pairs = zip(getattr(record, key), content[key], strict=True)
        messages = [build_message(message, raw) for message, raw in pairs]
        system = [LoggedMessage("system", record.system)] if record.system else []
        conversation = LoggedConversation(
            system + messages,
            conversation_id=None if record.id is None else str(record.id),
            model=record.model,
            extras=select_other_keys(content, {"id", "model", "system", key}),
        )
        yield read_feedback_keys(conversation)


def build_message(message: Message, raw: Mapping[str, Any]) -> LoggedMessage:
    """Return one message.

    `raw` is the same message as it was logged. Raises `ValueError` without a known speaker or without text.
    """
    speaker = (message.from_ or message.role or "").lower()
    text = message.value if message.value is not None else message.content
    if speaker not in ROLES:
        raise ValueError(f"conversations.from: expected one of {sorted(ROLES)}, got {speaker!r:.40}")
    if text is None:
        raise ValueError("conversations.value: missing or null")
    extras = select_other_keys(raw, {"from", "value", "role", "content"})
    if speaker in CALLS:
        return LoggedMessage("assistant", "", extras={**extras, "tool_calls": text})
    if speaker in PRODUCTS:
        extras["product"] = speaker
    return LoggedMessage(ROLES[speaker], text, extras=extras)
