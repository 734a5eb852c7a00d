"""Text copied from the future: words that the user wrote only later."""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from turnabout.core.conversations import REPLY_KEY

#: A shorter message is never counted as copied: many replies contain "yes please".
MIN_WORDS = 3


def collect_later_turns(messages: pl.DataFrame, replies: pl.DataFrame) -> list[list[str]]:
    """Return the user's later messages of each reply, in order.

    `replies` has the columns `conversation_id` and `reply_index`.
    """
    user_messages = messages.filter(pl.col("role") == "user").select("conversation_id", "message_index", "text")
    after = (
        replies.select("conversation_id", "reply_index")
        .join(user_messages, on="conversation_id")
        .filter(pl.col("message_index") > pl.col("reply_index"))
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", "reply_index")
        .agg(later="text")
    )
    joined = replies.join(after, on=REPLY_KEY, how="left", maintain_order="left")
    return [turns or [] for turns in joined["later"].to_list()]


def copies_later_text(text: str, later: Iterable[str], known: Iterable[str], n: int) -> bool:
    """Return whether `text` copies `n` words in a row from a later message.

    A later message of fewer than `n` words must be copied whole. Runs that also occur in a `known` text do not count.
    Words are compared in lower case and without punctuation.
    """
    words, known_words = split_words(text), [split_words(known_text) for known_text in known]
    for message in map(split_words, later):
        size = min(n, len(message))
        if size < MIN_WORDS:
            continue
        copied = _word_runs(message, size) & _word_runs(words, size)
        for known_text in known_words:
            copied -= _word_runs(known_text, size)
        if copied:
            return True
    return False


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"\w+", text.lower())


def _word_runs(tokens: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """Return every run of `n` words."""
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}
