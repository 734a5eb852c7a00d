"""Conversations that are longer than a model may read: the oldest messages go, at a message boundary."""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.models.chat_format import ChatFormat


def fit_prompt(chat: ChatFormat, messages: Sequence[Message], role: str, max_tokens: int) -> list[Message]:
    """The newest messages whose prompt, with the open header of who `speaks`, has at most `most` tokens.

    A leading system message stays, and so does the newest message, whatever its length.
    """
    header = len(chat.encode_prompt([], role)) - len(chat.encode([]).input_ids)
    return chat.keep_newest(messages, max_tokens - header)
