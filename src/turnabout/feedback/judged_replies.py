"""Replies that people judged, with history and follow-up.

Critiques start from those that drew dissatisfaction, and so does every pair with a dissatisfying side.
"""

from collections.abc import Sequence

import polars as pl

from turnabout.core.conversations import REPLY_KEY, add_histories, build_exchanges, drop_test_split
from turnabout.core.schemas import MESSAGE
from turnabout.feedback.signals import REPLACED, WEAK, WeakCategory, select_decisions

#: One criticised reply: the history before it, its text, the user's follow-up, and the decision on it.
CRITICISED_REPLIES = pl.Schema(
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

#: One reply that people judged: `label` is sat | dsat, `score` in [-1, 1] has its sign.
JUDGED_REPLIES = pl.Schema({**CRITICISED_REPLIES, "label": pl.String(), "score": pl.Float64()})


def select_judged_replies(
    messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame, weak: Sequence[WeakCategory]
) -> pl.DataFrame:
    """Return the train and validation replies with a decision.

    The rows are `JUDGED_REPLIES`, sorted. The decision combines all signals on the reply. Conversations of the test
    split are never in the result. Asking back (UR4 of Don-Yehiya et al. 2024) and asking for another form are weak
    signs and count only where `weak` names them. A request for another reply judges the replies that were replaced
    (`alternatives`), not the logged one that replaced them, so it does not count here.
    """
    counts = (~pl.col("category").is_in(WEAK) | pl.col("category").is_in(weak)) & (pl.col("category") != REPLACED)
    decisions = select_decisions(feedback).filter(counts).select(*REPLY_KEY, "category", "label", "score", "confidence")
    people = drop_test_split(splits).select("conversation_id", "split", "user_key")
    judged = (
        build_exchanges(messages)
        .drop("user_key")
        .join(decisions, on=REPLY_KEY)
        .join(people, on="conversation_id")
        .with_columns(before="reply_index", follow_up=pl.col("follow_up").fill_null(""))
        .sort(REPLY_KEY)
    )
    return add_histories(messages, judged).drop_nulls("prompt").select(list(JUDGED_REPLIES))


def select_criticised_replies(
    messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame, weak: Sequence[WeakCategory]
) -> pl.DataFrame:
    """Return the judged replies that dissatisfied, sorted.

    The rows are `CRITICISED_REPLIES`; see `select_judged_replies`.
    """
    dissatisfied = feedback.filter(pl.col("label") == "dsat")
    return select_judged_replies(messages, splits, dissatisfied, weak).select(list(CRITICISED_REPLIES))


def limit_per_split(criticised: pl.DataFrame, max_per_split: int | None) -> pl.DataFrame:
    """Return the `max_per_split` most confident replies of each split.

    None takes all. The result is sorted like the input.
    """
    if max_per_split is None:
        return criticised
    return (
        criticised.sort("confidence", *REPLY_KEY, descending=[True, False, False])
        .group_by("split", maintain_order=True)
        .head(max_per_split)
        .sort(REPLY_KEY)
        .select(list(CRITICISED_REPLIES))
    )
