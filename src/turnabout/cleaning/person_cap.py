"""A cap on the number of conversations of one person."""

import polars as pl

#: One appearance of a person in a conversation; the person's key is hashed.
APPEARANCES = pl.Schema({"person": pl.UInt64()})


class PersonCap:
    """The appearances of people so far, as 8 bytes per person and conversation."""

    def __init__(self, max_conversations: int | None, known: pl.DataFrame) -> None:
        """Start with the appearances of earlier batches (`APPEARANCES`).

        The first `max_conversations` conversations of a person are kept; None keeps all.
        """
        self.max_conversations, self.known = max_conversations, known

    def find_excess(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Return the conversations beyond the cap of a person.

        The columns are `conversation_id` and `reason`. A person counts in any role. If there is a cap, the people of
        all conversations are known from now on.
        """
        people = messages.filter(pl.col("user_key").is_not_null()).unique(
            ["conversation_id", "user_key"], keep="first", maintain_order=True
        )
        if self.max_conversations is None:
            people = people.clear()
        people = people.select("conversation_id", "user_key", person=pl.col("user_key").hash())
        is_known = pl.col("person").is_in(people["person"].implode())
        before = self.known.filter(is_known).group_by("person").len("n_before")
        self.known = self.known.vstack(people.select("person"))
        nth = pl.col("n_before").fill_null(0) + pl.int_range(pl.len()).over("person")
        cap = self.max_conversations
        reason = pl.format("person has {} earlier conversations: {}", pl.lit(cap), pl.col("user_key").min())
        return (
            people.join(before, on="person", how="left", maintain_order="left")
            .filter(nth >= (cap or 0))
            .group_by("conversation_id", maintain_order=True)
            .agg(reason=reason)
        )
