"""Nobody too often: the conversations of one person beyond the first so many."""

import polars as pl

#: One person, hashed, in one conversation.
APPEARANCES = pl.Schema({"person": pl.UInt64()})


class Crowding:
    """Who has appeared so far, as 8 bytes for each person in each conversation."""

    def __init__(self, most: int | None, known: pl.DataFrame) -> None:
        """`most` conversations of one person are kept, all where it is None; `known` (`APPEARANCES`) came before."""
        self.most, self.known = most, known

    def judge(self, messages: pl.DataFrame) -> pl.DataFrame:
        """`conversation_id`, `reason` where a person, in whatever role, has `most` earlier conversations."""
        people = messages.filter(pl.col("user_key").is_not_null()).unique(
            ["conversation_id", "user_key"], keep="first", maintain_order=True
        )
        if self.most is None:
            people = people.clear()
        people = people.select("conversation_id", "user_key", person=pl.col("user_key").hash())
        before = (
            self.known.filter(pl.col("person").is_in(people["person"].implode())).group_by("person").len("n_before")
        )
        self.known = self.known.vstack(people.select("person"))
        nth = pl.col("n_before").fill_null(0) + pl.int_range(pl.len()).over("person")
        reason = pl.format("person has {} earlier conversations: {}", pl.lit(self.most), pl.col("user_key").min())
        return (
            people.join(before, on="person", how="left", maintain_order="left")
            .filter(nth >= (self.most or 0))
            .group_by("conversation_id", maintain_order=True)
            .agg(reason=reason)
        )
