"""The evidence from which rules are read: training pairs and feedback.

Feedback is what users praised, complained about and rewrote.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.augment.base import AugmentInputs
from turnabout.augment.presented_pairs import PresentedPair
from turnabout.core.conversations import rank_by_hash
from turnabout.feedback.judged_replies import limit_per_split, select_judged_replies
from turnabout.feedback.signals import RECORDED_CONFIDENCE
from turnabout.preferences.from_logs import add_prompts, select_replies
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_beginning
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import format_record

FeedbackSource = Literal["kudos", "critiques", "edits"]
Source = Literal["pairs"] | FeedbackSource

#: Openings of rules: about two replies, from good or from bad traits, and about a situation.
PREFER, AVOID, WHEN = "Prefer the reply that", "Prefer the reply that does not", "When"

PAIR = "Two replies, A and B, could follow the last message of a conversation. The person prefers reply {letter}."

#: The question about a pair, by the opening of the rules it leads to.
TRAITS = {
    PREFER: "What does the preferred reply do well?",
    AVOID: "What does the other reply do badly?",
}

#: The situation of each kind of feedback, and the question about it.
FEEDBACK: dict[FeedbackSource, tuple[str, str]] = {
    "kudos": (
        "A user was satisfied with an assistant's reply, as the follow-up shows.",
        "What should the assistant continue to do in such a situation?",
    ),
    "critiques": (
        "A user was not satisfied with an assistant's reply, as the follow-up shows.",
        "What should the assistant do instead in such a situation?",
    ),
    "edits": (
        "Someone rewrote an assistant's reply before using it.",
        "What should the assistant have done in such a situation, so that no rewriting was needed?",
    ),
}


class Evidence(NamedTuple):
    """One fenced record that shows something about good replies."""

    source: Source
    opening: str
    """The beginning of every rule that is read from it."""
    situation: str
    traits: str
    """The question about the record."""
    record: str
    texts: list[str]
    """The texts in the record, which no rule may copy."""


def collect_pair_evidence(pairs: Sequence[PresentedPair], max_tokens: int) -> list[Evidence]:
    """Return two records per pair: for its good and for its bad traits."""
    evidence = []
    for opening, traits in TRAITS.items():
        for pair in pairs:
            history = [message["content"] for message in pair.prompt]
            evidence.append(
                Evidence(
                    source="pairs",
                    opening=opening,
                    situation=PAIR.format(letter=pair.better_letter),
                    traits=traits,
                    record=pair.build_record(max_tokens),
                    texts=[*history, pair.better, pair.worse],
                )
            )
    return evidence


def collect_feedback_evidence(
    inputs: AugmentInputs, source: FeedbackSource, max_items: int, *, max_tokens: int, seed: int
) -> list[Evidence]:
    """Return at most `max_items` records of feedback in the training split.

    They are the most certain praise or complaints in words, or edits drawn by hash.
    """
    situation, traits = FEEDBACK[source]
    if source == "edits":
        rows = _draw_edits(inputs, max_items, seed)
    else:
        rows = _select_judgements_in_words(inputs, source, max_items)
    return [
        Evidence(
            source=source,
            opening=WHEN,
            situation=situation,
            traits=traits,
            record=_build_feedback_record(row, max_tokens),
            texts=_list_texts(row),
        )
        for row in rows.iter_rows(named=True)
    ]


def _select_judgements_in_words(
    inputs: AugmentInputs, source: Literal["kudos", "critiques"], max_items: int
) -> pl.DataFrame:
    """Return judged replies whose follow-up is the judgement.

    A rating, for example, is not a judgement in words.
    """
    praise = inputs.feedback.filter(label="sat")
    judged = (
        inputs.criticised
        if source == "critiques"
        else select_judged_replies(inputs.messages, inputs.splits, praise, ())
    )
    in_words = ~pl.col("category").is_in(list(RECORDED_CONFIDENCE)) & pl.col("follow_up").str.contains(r"\w")
    return limit_per_split(judged.filter(in_words, split="train"), max_items)


def _draw_edits(inputs: AugmentInputs, max_items: int, seed: int) -> pl.DataFrame:
    """Return replies that a person rewrote in other words."""
    edited = select_replies(inputs.messages, inputs.splits).filter(
        pl.col("edited_text").str.contains(r"\w"), pl.col("edited_text") != pl.col("reply"), split="train"
    )
    drawn = edited.sort(rank_by_hash(seed, "conversation_id", "reply_index")).head(max_items)
    return add_prompts(inputs.messages, drawn).sort("conversation_id", "reply_index")


def _build_feedback_record(row: dict[str, Any], max_tokens: int) -> str:
    edited = row.get("edited_text")
    if edited is None:
        return format_record(row, max_tokens)
    rewritten = fence("rewritten", keep_beginning(edited, CHARS_PER_TOKEN * max_tokens // 4))
    return f"{format_record(row, max_tokens, follow_up=False)}\n{rewritten}"


def _list_texts(row: dict[str, Any]) -> list[str]:
    history = [message["content"] for message in row["prompt"]]
    return [*history, *(row[name] for name in ("reply", "follow_up", "edited_text") if row.get(name))]
