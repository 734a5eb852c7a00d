"""Truncation of long conversations, which drops the oldest messages."""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.models.chat_format import ChatFormat


def fit_prompt(chat: ChatFormat, messages: Sequence[Message], role: str, max_tokens: int) -> list[Message]:
    """Return the newest messages whose prompt has at most `max_tokens` tokens.

    The prompt includes the open header of `role`, which speaks next. A leading system message stays, and so does the
    newest message, whatever their length.
    """
    header = len(chat.encode_prompt([], role)) - len(chat.encode([]).input_ids)
    return chat.keep_newest(messages, max_tokens - header)
