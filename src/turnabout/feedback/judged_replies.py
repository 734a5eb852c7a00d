"""Replies that people judged, with what was said before and after; those that drew dissatisfaction above all.

They are the start of every critique and of every pair with a dissatisfying side.
"""

from collections.abc import Sequence

import polars as pl

from turnabout.core.conversations import exchanges, histories
from turnabout.core.schemas import MESSAGE
from turnabout.feedback.signals import REPLACED, WEAK, WeakCategory, decisions

#: One criticised reply: the history before it, its words, the user's reaction, and the mined signal behind it.
CRITICISED = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "user_key": pl.String(),
        "split": pl.String(),
        "category": pl.String(),
        "confidence": pl.Float64(),
        "prompt": pl.List(MESSAGE),
        "reply": pl.String(),
        "follow_up": pl.String(),
    }
)

#: One reply that people judged, either way: `label` is sat | dsat, `score` in [-1, 1] has its sign.
JUDGED = pl.Schema({**CRITICISED, "label": pl.String(), "score": pl.Float64()})


def judged_replies(
    messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame, weak: Sequence[WeakCategory]
) -> pl.DataFrame:
    """One row per reply of the train and validation splits that satisfied or dissatisfied (`JUDGED`), sorted.

    What counts is the decision on the reply, all its signals together. A test conversation never gets here. Asking back
    (UR4 of Don-Yehiya et al. 2024) and asking for another form are weak signs and count only where `weak` names them.
    Asking for another reply judges those that were replaced (`alternatives`), not the logged one, which replaced them.
    """
    counted = (~pl.col("category").is_in(WEAK) | pl.col("category").is_in(weak)) & (pl.col("category") != REPLACED)
    signals = (
        decisions(feedback)
        .filter(counted)
        .select("conversation_id", "reply_index", "category", "label", "score", "confidence")
    )
    held = splits.filter(pl.col("split").is_in(["train", "validation"])).select("conversation_id", "split", "user_key")
    found = (
        exchanges(messages)
        .drop("user_key")
        .join(signals, on=["conversation_id", "reply_index"])
        .join(held, on="conversation_id")
        .with_columns(before="reply_index", follow_up=pl.col("follow_up").fill_null(""))
        .sort("conversation_id", "reply_index")
    )
    return histories(messages, found).drop_nulls("prompt").select(list(JUDGED))


def criticised_replies(
    messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame, weak: Sequence[WeakCategory]
) -> pl.DataFrame:
    """The judged replies that dissatisfied (`CRITICISED`), sorted."""
    dissatisfied = feedback.filter(pl.col("label") == "dsat")
    return judged_replies(messages, splits, dissatisfied, weak).select(list(CRITICISED))


def first_per_split(criticised: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """At most `most` replies per split, the most confident signals first; None takes all. Sorted like the input."""
    if most is None:
        return criticised
    return (
        criticised.sort("confidence", "conversation_id", "reply_index", descending=[True, False, False])
        .group_by("split", maintain_order=True)
        .head(most)
        .sort("conversation_id", "reply_index")
        .select(list(CRITICISED))
    )
