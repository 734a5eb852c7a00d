"""Conversations in which there is too little to learn from."""

import polars as pl


def too_thin(messages: pl.DataFrame, min_messages: int) -> pl.DataFrame:
    """`conversation_id`, `reason` of those that are shorter than `min_messages`, or lack a user or an assistant."""
    said_by = {role: (pl.col("role") == role).any() for role in ("user", "assistant")}
    reason = (
        pl.when(pl.len() < min_messages)
        .then(pl.lit(f"fewer than {min_messages} messages"))
        .when(~said_by["user"])
        .then(pl.lit("no user message"))
        .when(~said_by["assistant"])
        .then(pl.lit("no assistant message"))
    )
    return messages.group_by("conversation_id", maintain_order=True).agg(reason=reason).drop_nulls("reason")
