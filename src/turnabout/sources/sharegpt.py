"""ShareGPT: conversations as lists of `from` and `value`, as JSON lists, JSON lines or the Hub's Parquet.

A record (broken here for the page):

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
- `from` is one of `ROLES`, whatever its case; which product replied (`chatgpt`, `bing`, `bard`) is kept in `extras`.
- `system` of a record is its first message. Values stay as they are, HTML included.
- An export in parts (ids ending in `_0`, `_1`, …) is one conversation a part, as it was shared.
- The format has no person: each conversation is taken for another one's. Any other key goes to `extras`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import others

#: What `from` means. A call of a function is the assistant's, without text.
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

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether its messages say from whom they are."""
        lists = [content.get(name) for name in LISTS] if isinstance(content, dict) else []
        return any(
            isinstance(told, list) and told and isinstance(told[0], dict) and "from" in told[0] for told in lists
        )

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The one conversation of a record."""
        told = msgspec.convert(content, Conversation)
        key = next((name for name in LISTS if content.get(name)), None)
        if key is None:
            raise ValueError(f"conversations: no message under any of {LISTS}")
        messages = [logged(message, raw) for message, raw in zip(getattr(told, key), content[key], strict=True)]
        system = [LoggedMessage("system", told.system)] if told.system else []
        yield LoggedConversation(
            system + messages,
            None if told.id is None else str(told.id),
            model=told.model,
            extras=others(content, {"id", "model", "system", key}),
        )


def logged(message: Message, raw: Mapping[str, Any]) -> LoggedMessage:
    """One message. Raises `ValueError` where nobody or nothing is told."""
    speaker = (message.from_ or message.role or "").lower()
    text = message.value if message.value is not None else message.content
    if speaker not in ROLES:
        raise ValueError(f"conversations.from: expected one of {sorted(ROLES)}, got {speaker!r:.40}")
    if text is None:
        raise ValueError("conversations.value: missing or null")
    extras = others(raw, {"from", "value", "role", "content"})
    if speaker in CALLS:
        return LoggedMessage("assistant", "", extras={**extras, "tool_calls": text})
    if speaker in PRODUCTS:
        extras["product"] = speaker
    return LoggedMessage(ROLES[speaker], text, extras=extras)
