"""Conversations with the roles and texts of an earlier one."""

import polars as pl

from turnabout.core.detached_rows import detach_rows

#: One conversation that was the first to say this; `said` is a hash of its roles and texts in order.
SAID = pl.Schema({"conversation_id": pl.String(), "said": pl.UInt64()})


class ExactDuplicates:
    """Everything said so far, as an id and 8 bytes a conversation.

    Of ten million different conversations two have the same hash with probability 3 in a million.
    """

    def __init__(self, known: pl.DataFrame) -> None:
        """`known` (`SAID`) is what came before."""
        self.known = known

    def judge(self, messages: pl.DataFrame) -> pl.DataFrame:
        """`conversation_id`, `reason` of each conversation that was there before; all others are known from now on."""
        said = pl.struct("message_index", "role", "text").hash().bitwise_xor()
        told = messages.group_by("conversation_id", maintain_order=True).agg(said=said)
        earlier = self.known.filter(pl.col("said").is_in(told["said"].implode())).rename({"conversation_id": "earlier"})
        judged = told.join(earlier, on="said", how="left", maintain_order="left").with_columns(
            pl.coalesce("earlier", pl.col("conversation_id").first().over("said"))
        )
        is_again = pl.col("conversation_id") != pl.col("earlier")
        self.known = self.known.vstack(detach_rows(judged.filter(~is_again).select(list(SAID))))
        reason = pl.format("same messages as another conversation: {}", "earlier")
        return judged.filter(is_again).select("conversation_id", reason=reason)
