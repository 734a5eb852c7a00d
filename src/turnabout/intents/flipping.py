"""Flipping of the dialogue: samples in which the user's turns are learnt.

One sample per conversation has the same gradient as the K+1 samples of Naous et al. 2025 (§3.2): every user turn is
predicted from the intent and all messages before it, and the end of the conversation is predicted after the last reply.
The cost is linear in the number of messages.

Roles may come in any order. A conversation may begin with a reply, which is context. Of consecutive user turns each is
a target, also if several people wrote them. Consecutive replies are all context of the next turn.
"""

from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.config import Section
from turnabout.core.conversations import count_shared_messages

#: The suffix of the id of a mirrored conversation, which is in the split of the original.
MIRROR = "#mirror"

IS_USER = pl.col("role") == "user"

#: The messages that the person saw. System and tool messages were not shown; messages without text (tool calls) say
#: nothing.
IS_SEEN = pl.col("role").is_in(["user", "assistant"]) & (pl.col("text").str.strip_chars().fill_null("") != "")


class Flip(Section):
    """Settings of the stage `flip`."""

    mirror: bool
    """Also learn from the other speaker's side of a training conversation (logs of people talking to people)."""


def flip_conversations(
    messages: pl.DataFrame, splits: pl.DataFrame, intents: pl.DataFrame, mirror: bool
) -> pl.DataFrame:
    """Build one sample per conversation with an intent and a user turn to learn.

    The samples have the schema `schemas.USER_SAMPLES` and are sorted. Messages that the person never saw are dropped
    (`IS_SEEN`). `ends` is false if the person wrote the last message, because then the log does not show that they
    ended the conversation. Messages that a branch of a message tree repeats are only context: they are learnt in the
    conversation where they occur first. With `mirror`, training conversations between two people are also learnt from
    the other side, under the same conversation and with the intent of the first side.
    """
    seen = (
        messages.filter(IS_SEEN)
        .join(intents.select("conversation_id", "intent"), on="conversation_id")
        .join(count_shared_messages(messages), on="conversation_id", how="left")
    )
    if mirror:
        seen = pl.concat([seen, _mirror_conversations(seen, splits)])
    is_new = pl.col("message_index") >= pl.col("n_shared").fill_null(0)
    return (
        seen.sort("conversation_id", "message_index")
        .group_by("conversation_id", maintain_order=True)
        .agg(
            pl.col("intent").first(),
            user_key=pl.col("user_key").filter(IS_USER).first(),
            messages=pl.struct("role", content="text"),
            target_indexes=(IS_USER & is_new).arg_true().cast(pl.Int32),
            ends=pl.col("role").last() == "assistant",
            origin=pl.col("conversation_id").first().str.strip_suffix(MIRROR),
        )
        .join(splits.select("conversation_id", "split"), left_on="origin", right_on="conversation_id")
        .filter(pl.col("target_indexes").list.len() > 0)
        .select(list(schemas.USER_SAMPLES))
        .sort("conversation_id")
    )


def count_samples(messages: pl.DataFrame, intents: pl.DataFrame, samples: pl.DataFrame) -> dict[str, Any]:
    """Return counts of the conversations of `messages` and of their `samples`.

    `n_stays` counts samples in which the person wrote the last message. `unseen_by_role` counts the messages that the
    person never saw, in conversations with an intent.
    """
    conversations = messages.select("conversation_id").unique()
    with_intent = conversations.join(intents, on="conversation_id", how="semi")
    flipped = with_intent.join(samples, on="conversation_id", how="semi").height
    unseen = messages.join(with_intent, on="conversation_id", how="semi").filter(~IS_SEEN)
    return {
        "n_conversations": conversations.height,
        "n_samples": samples.height,
        "samples_by_split": dict(samples.group_by("split").len().sort("split").iter_rows()),
        "n_targets": int(samples["target_indexes"].list.len().sum()),
        "n_ends": int(samples["ends"].sum()),
        "n_stays": int((~samples["ends"]).sum()),
        "dropped_by_reason": {
            "no intent": conversations.height - with_intent.height,
            "no user turn to learn": with_intent.height - flipped,
        },
        "unseen_by_role": dict(unseen.group_by("role").len().sort("role").iter_rows()),
    }


def _mirror_conversations(seen: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Return the training conversations between two people with exchanged roles."""
    people = seen.filter(~IS_USER).filter(pl.col("user_key").is_not_null()).select("conversation_id").unique()
    train = splits.filter(split="train").join(people, on="conversation_id").select("conversation_id")
    return seen.join(train, on="conversation_id", how="semi").with_columns(
        conversation_id=pl.col("conversation_id") + MIRROR,
        role=pl.col("role").replace_strict({"user": "assistant", "assistant": "user"}),
    )
