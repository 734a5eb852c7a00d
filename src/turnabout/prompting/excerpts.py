"""Texts of a log cut to the room a prompt has for them, with an ellipsis where something is missing."""

from collections.abc import Sequence

from turnabout.core.messages import Message

#: About as many characters as a token has; close enough for an excerpt.
CHARS_PER_TOKEN = 4


def keep_newest(messages: Sequence[Message], max_chars: int) -> list[Message]:
    """The last messages that fit into `room` characters; of the first that does not, its end."""
    kept: list[Message] = []
    for message in reversed(messages):
        text = message["content"]
        if len(text) > max_chars:
            if max_chars > 0:
                kept.insert(0, {"role": message["role"], "content": "…" + text[-max_chars:]})
            break
        kept.insert(0, {"role": message["role"], "content": text})
        max_chars -= len(text)
    return kept


def keep_beginning(text: str, max_chars: int) -> str:
    """The first `room` characters."""
    return text if len(text) <= max_chars else text[:max_chars] + "…"
