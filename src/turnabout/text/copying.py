"""Words that text for an earlier turn takes from what the user said only later, and that it could not have known."""

import re
from collections.abc import Iterable, Sequence

import polars as pl

#: A message of fewer words is no leak: "yes please" stands in many replies.
MIN_WORDS = 3


def later_turns(messages: pl.DataFrame, replies: pl.DataFrame) -> list[list[str]]:
    """For each reply (`conversation_id`, `reply_index`), what the user said after it, in order."""
    said = messages.filter(pl.col("role") == "user").select("conversation_id", "message_index", "text")
    after = (
        replies.select("conversation_id", "reply_index")
        .join(said, on="conversation_id")
        .filter(pl.col("message_index") > pl.col("reply_index"))
        .sort("conversation_id", "message_index")
        .group_by("conversation_id", "reply_index")
        .agg(later="text")
    )
    found = replies.join(after, on=["conversation_id", "reply_index"], how="left", maintain_order="left")
    return [turns or [] for turns in found["later"].to_list()]


def copies(text: str, later: Iterable[str], known: Iterable[str], n: int) -> bool:
    """Whether `text` has `n` words in a row of a later message, or all of a shorter one, that nothing known has.

    Words are compared in lower case and without punctuation.
    """
    ours, earlier = words(text), [words(each) for each in known]
    for message in map(words, later):
        size = min(n, len(message))
        taken = _runs(message, size) & _runs(ours, size) if size >= MIN_WORDS else set()
        if any(not any(run in _runs(each, size) for each in earlier) for run in taken):
            return True
    return False


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return re.findall(r"\w+", text.lower())


def _runs(tokens: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """Every `n` words in a row."""
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}
