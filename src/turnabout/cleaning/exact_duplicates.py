"""Detection of conversations that repeat the texts of an earlier one."""

import polars as pl

from turnabout.core.detached_rows import detach_rows

#: The first conversation with some roles and texts; `said` is a hash of these, in order.
KNOWN_TEXTS = pl.Schema({"conversation_id": pl.String(), "said": pl.UInt64()})


class ExactDuplicateIndex:
    """The conversations seen so far, as an id and 8 bytes each.

    Among ten million different conversations, two have the same hash with probability 3 in a million.
    """

    def __init__(self, known: pl.DataFrame) -> None:
        """Start with the conversations of earlier batches (`KNOWN_TEXTS`)."""
        self.known = known

    def find_repeats(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Return the conversations that repeat an earlier one.

        The columns are `conversation_id` and `reason`. All other conversations are known from now on.
        """
        content_hash = pl.struct("message_index", "role", "text").hash().bitwise_xor().alias("said")
        hashed = messages.group_by("conversation_id", maintain_order=True).agg(content_hash)
        is_known = pl.col("said").is_in(hashed["said"].implode())
        earlier = self.known.filter(is_known).rename({"conversation_id": "earlier"})
        joined = hashed.join(earlier, on="said", how="left", maintain_order="left").with_columns(
            pl.coalesce("earlier", pl.col("conversation_id").first().over("said"))
        )
        is_repeat = pl.col("conversation_id") != pl.col("earlier")
        self.known = self.known.vstack(detach_rows(joined.filter(~is_repeat).select(list(KNOWN_TEXTS))))
        reason = pl.format("same messages as another conversation: {}", "earlier")
        return joined.filter(is_repeat).select("conversation_id", reason=reason)
