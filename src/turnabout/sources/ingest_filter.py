"""Conversations as they arrive from the sources: each id once, and none of a person who asked to be forgotten."""

from functools import partial
from typing import Annotated, NamedTuple

import polars as pl
from pydantic import BeforeValidator, Field, SerializeAsAny

from turnabout.core import schemas
from turnabout.core.config import Section, resolve
from turnabout.core.forgetting import is_forgotten
from turnabout.sources import SOURCES, Batch, Source

AnySource = Annotated[SerializeAsAny[Source], BeforeValidator(partial(resolve, SOURCES, "format"))]


class Ingest(Section):
    watch: str
    """File or folder that DVC watches; every source path must lie inside it, so that new logs are noticed."""
    sources: list[AnySource] = Field(min_length=1)


class Arrived(NamedTuple):
    """What stays of a batch, what was rejected, and how many conversations were forgotten."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    n_forgotten: int

    def tallies(self) -> dict[str, dict[str, int]]:
        """The counts of this batch, as the metrics of the stage name them."""
        sources = self.messages.filter(message_index=0)["source"]
        totals = {
            "n_conversations": sources.len(),
            "n_messages": self.messages.height,
            "n_rejected": self.quarantine.height,
            "n_forgotten_conversations": self.n_forgotten,
        }
        by_reason = dict(self.quarantine["reason"].value_counts().iter_rows())
        by_source = dict(sources.value_counts().iter_rows())
        return {"totals": totals, "rejected_by_reason": by_reason, "conversations_by_source": by_source}


class Arrivals:
    """All conversation ids so far, as 8 bytes each: an id belongs to the first conversation that comes with it."""

    def __init__(self, forgotten: frozenset[str], known: pl.Series) -> None:
        """`forgotten` are fingerprints of people, `known` the ids that came before."""
        self.forgotten = forgotten
        self._known = known.hash().rename("id").to_frame()

    def accept(self, batch: Batch) -> Arrived:
        """The batch without forgotten people and without ids that occur earlier, in the order it came.

        Nobody can tell whose a record is that could not be read: while anybody is to be forgotten, no excerpt of such a
        record is kept.
        """
        nth = (pl.col("message_index") == 0).cum_sum()
        messages = batch.messages.with_columns(nth=nth, id=pl.col("conversation_id").hash())
        gone = messages.filter(is_forgotten(messages["user_key"], self.forgotten))["nth"].unique()
        messages = messages.filter(~pl.col("nth").is_in(gone.implode()))
        is_first = pl.col("nth") == pl.col("nth").first().over("id")
        earlier = self._known.filter(pl.col("id").is_in(messages["id"].implode()))["id"]
        is_new = is_first & ~pl.col("id").is_in(earlier.implode())
        again = messages.filter(~is_new, message_index=0)
        new = messages.filter(is_new)
        self._known = self._known.vstack(new.filter(message_index=0).select("id"))
        unread = batch.quarantine.with_columns(excerpt=pl.lit("")) if self.forgotten else batch.quarantine
        return Arrived(new.select(list(schemas.MESSAGES)), pl.concat([unread, _rejected(again)]), gone.len())


def _rejected(again: pl.DataFrame) -> pl.DataFrame:
    """The quarantine row of each conversation, given by its first message, whose id was there before."""
    return again.select(
        "source",
        record="conversation_id",
        reason=pl.lit("conversation id occurs earlier in the log"),
        excerpt=pl.col("text").str.head(200),
    )
