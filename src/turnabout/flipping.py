"""Flipping the dialogue: one training sample per conversation, in which the user's turns are what is learnt.

Equal in gradient to the K+1 samples of Naous et al. 2025 (§3.2): every user turn is predicted from the intent and all
that was said before it, and leaving is predicted after the last reply. Linear in the number of messages.
"""

import polars as pl

from turnabout import schemas


def flip(messages: pl.DataFrame, splits: pl.DataFrame, intents: pl.DataFrame, mirror: bool) -> pl.DataFrame:
    """One row per conversation that has an intent (`schemas.USER_SAMPLES`), sorted.

    System and tool messages are dropped: the person never saw them. `ends` is false where the person had the last word,
    for then the log does not show them leaving. With `mirror`, training conversations between two people are also
    learnt from the other side, under the same conversation and the intent of the first.
    """
    visible = messages.filter(pl.col("role").is_in(["user", "assistant"])).join(
        intents.select("conversation_id", "intent"), on="conversation_id"
    )
    if mirror:
        visible = pl.concat([visible, _mirrored(visible, splits)])
    is_user = pl.col("role") == "user"
    return (
        visible.sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            pl.col("intent").first(),
            user_key=pl.col("user_key").filter(is_user).first(),
            messages=pl.struct("role", content="text"),
            target_indexes=is_user.arg_true().cast(pl.Int32),
            ends=pl.col("role").last() == "assistant",
            origin=pl.col("conversation_id").first().str.strip_suffix(MIRROR),
        )
        .join(splits.select("conversation_id", "split"), left_on="origin", right_on="conversation_id")
        .filter(pl.col("target_indexes").list.len() > 0)
        .select(list(schemas.USER_SAMPLES))
        .sort("conversation_id")
    )


#: Ends the id of a mirrored conversation, which stays in the split of the one it mirrors.
MIRROR = "#mirror"


def _mirrored(visible: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Training conversations between two people, with the roles exchanged."""
    people = (
        visible.filter(role="assistant").filter(pl.col("user_key").is_not_null()).select("conversation_id").unique()
    )
    train = splits.filter(split="train").join(people, on="conversation_id").select("conversation_id")
    return visible.join(train, on="conversation_id", how="semi").with_columns(
        conversation_id=pl.col("conversation_id") + MIRROR,
        role=pl.col("role").replace_strict({"user": "assistant", "assistant": "user"}),
    )
