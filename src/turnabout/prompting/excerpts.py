"""Texts of a log cut to the room a prompt has for them, with an ellipsis where something is missing."""

from collections.abc import Sequence

from turnabout.core.messages import Message

#: About as many characters as a token has; close enough for an excerpt.
CHARACTERS = 4


def newest(messages: Sequence[Message], room: int) -> list[Message]:
    """The last messages that fit into `room` characters; of the first that does not, its end."""
    kept: list[Message] = []
    for message in reversed(messages):
        text = message["content"]
        if len(text) > room:
            if room > 0:
                kept.insert(0, {"role": message["role"], "content": "…" + text[-room:]})
            break
        kept.insert(0, {"role": message["role"], "content": text})
        room -= len(text)
    return kept


def beginning(text: str, room: int) -> str:
    """The first `room` characters."""
    return text if len(text) <= room else text[:room] + "…"
