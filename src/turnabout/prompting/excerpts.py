"""Excerpts of logged texts for prompts, with an ellipsis where text was cut."""

from collections.abc import Sequence

from turnabout.core.messages import Message

#: Approximate number of characters per token, accurate enough for an excerpt.
CHARS_PER_TOKEN = 4


def keep_newest(messages: Sequence[Message], max_chars: int) -> list[Message]:
    """Return the last messages that fit into `max_chars`.

    Of the newest message that does not fit, the end is kept.
    """
    kept: list[Message] = []
    n_left = max_chars
    for message in reversed(messages):
        text = message["content"]
        if len(text) > n_left:
            if n_left > 0:
                kept.insert(0, {"role": message["role"], "content": "…" + text[-n_left:]})
            break
        kept.insert(0, {"role": message["role"], "content": text})
        n_left -= len(text)
    return kept


def keep_beginning(text: str, max_chars: int) -> str:
    """Return the first `max_chars` characters."""
    return text if len(text) <= max_chars else text[:max_chars] + "…"
