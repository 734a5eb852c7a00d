"""What rules are read out of: training pairs, and what users praised, complained about and rewrote."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.augment.base import Logs
from turnabout.augment.presented_pairs import Shown
from turnabout.core.conversations import hash_rank
from turnabout.feedback.judged_replies import first_per_split, judged_replies
from turnabout.feedback.signals import RECORDED
from turnabout.preferences.from_logs import replies, with_prompts
from turnabout.prompting.excerpts import CHARACTERS, beginning
from turnabout.prompting.fencing import data
from turnabout.prompting.record import record

Feedback = Literal["kudos", "critiques", "edits"]
Source = Literal["pairs"] | Feedback

#: How rules begin: those about two replies, from good and from bad traits, and those about a situation.
PREFER, AVOID, WHEN = "Prefer the reply that", "Prefer the reply that does not", "When"

PAIR = "Two replies, A and B, could follow the last message of a conversation. The person prefers reply {letter}."

#: What to look at in a pair, by how the rules begin.
TRAITS = {
    PREFER: "What does the preferred reply do well?",
    AVOID: "What does the other reply do badly?",
}

#: What is told of feedback, and what is asked about it.
FEEDBACK: dict[Feedback, tuple[str, str]] = {
    "kudos": (
        "A user was content with an assistant's reply, as the follow-up shows.",
        "What should the assistant go on doing in such a situation?",
    ),
    "critiques": (
        "A user was not content with an assistant's reply, as the follow-up shows.",
        "What should the assistant do in such a situation instead?",
    ),
    "edits": (
        "Somebody rewrote an assistant's reply before they used it.",
        "What should the assistant have done in such a situation, so that nothing had to be rewritten?",
    ),
}


class Evidence(NamedTuple):
    """One record, fenced, that says something about good replies; `texts` are its words, which no rule may copy."""

    source: Source
    opening: str
    told: str
    traits: str
    record: str
    texts: list[str]


def of_pairs(pairs: Sequence[Shown], max_tokens: int) -> list[Evidence]:
    """Two per pair: its good and its bad traits."""
    return [
        Evidence(
            "pairs",
            opening,
            PAIR.format(letter="A" if pair.order == "cr" else "B"),
            traits,
            pair.record(max_tokens),
            [*(message["content"] for message in pair.prompt), pair.better, pair.worse],
        )
        for opening, traits in TRAITS.items()
        for pair in pairs
    ]


def of_feedback(logs: Logs, source: Feedback, most: int, max_tokens: int, seed: int) -> list[Evidence]:
    """At most `most` of the training split: the surest praise or complaints in words, or edits drawn by hash."""
    told, traits = FEEDBACK[source]
    rows = _edits(logs, most, seed) if source == "edits" else _said(logs, source, most)
    return [
        Evidence(source, WHEN, told, traits, _record(row, max_tokens), _texts(row))
        for row in rows.iter_rows(named=True)
    ]


def _said(logs: Logs, source: Literal["kudos", "critiques"], most: int) -> pl.DataFrame:
    """Judged replies whose follow-up is the judgement: a rating, say, is none in words."""
    praise = logs.feedback.filter(label="sat")
    judged = logs.criticised if source == "critiques" else judged_replies(logs.messages, logs.splits, praise, ())
    in_words = ~pl.col("category").is_in(list(RECORDED)) & pl.col("follow_up").str.contains(r"\w")
    return first_per_split(judged.filter(in_words, split="train"), most)


def _edits(logs: Logs, most: int, seed: int) -> pl.DataFrame:
    """Replies that somebody rewrote into other words."""
    written = replies(logs.messages, logs.splits).filter(
        pl.col("edited_text").str.contains(r"\w"), pl.col("edited_text") != pl.col("reply"), split="train"
    )
    drawn = written.sort(hash_rank(seed, "conversation_id", "reply_index")).head(most)
    return with_prompts(logs.messages, drawn).sort("conversation_id", "reply_index")


def _record(row: dict[str, Any], max_tokens: int) -> str:
    edited = row.get("edited_text")
    told = record(row, max_tokens, follow_up=edited is None)
    return told if edited is None else f"{told}\n{data('rewritten', beginning(edited, CHARACTERS * max_tokens // 4))}"


def _texts(row: dict[str, Any]) -> list[str]:
    history = [message["content"] for message in row["prompt"]]
    return [*history, *(row[name] for name in ("reply", "follow_up", "edited_text") if row.get(name))]
