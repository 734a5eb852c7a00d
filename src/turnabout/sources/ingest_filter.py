"""The filter that logged conversations pass on their way into the table.

It keeps each conversation id once, and nothing of a person who asked to be forgotten.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, NamedTuple

import polars as pl
from pydantic import BeforeValidator, Field, SerializeAsAny

from turnabout.core import schemas
from turnabout.core.config import Section, resolve
from turnabout.core.forgetting import is_forgotten
from turnabout.sources import SOURCES, Batch, Source

AnySource = Annotated[SerializeAsAny[Source], BeforeValidator(partial(resolve, SOURCES, "format"))]


#: Reasons why a conversation is rejected whose id was given to an earlier one.
SAME_ID = "conversation id occurs earlier in the log"
SAME_CONTENT = "same messages as an earlier record"


class Ingest(Section):
    """Settings of the stage `ingest`."""

    watch: str
    """File or folder that DVC watches; every source path must lie inside it, so that new logs are noticed."""
    sources: list[AnySource] = Field(min_length=1)
    """The logs, in the order in which they are read."""


class FilteredBatch(NamedTuple):
    """The kept messages of a batch, and the quarantine rows of the rest."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    n_forgotten: int
    """Number of conversations dropped because a person in them asked to be forgotten."""
    unread_feedback: Mapping[str, int]
    """As in `Batch`."""

    def count_by_kind(self) -> dict[str, dict[str, int]]:
        """Return the counts of this batch, named as in the stage's metrics."""
        sources = self.messages.filter(message_index=0)["source"]
        totals = {
            "n_conversations": sources.len(),
            "n_messages": self.messages.height,
            "n_rejected": self.quarantine.height,
            "n_forgotten_conversations": self.n_forgotten,
        }
        return {
            "totals": totals,
            "rejected_by_reason": dict(self.quarantine["reason"].value_counts().iter_rows()),
            "rejected_by_source": dict(self.quarantine["source"].value_counts().iter_rows()),
            "conversations_by_source": dict(sources.value_counts().iter_rows()),
            "unread_feedback": dict(self.unread_feedback),
        }


class IngestFilter:
    """Filter of batches in order of arrival.

    It holds all conversation ids so far, as 8 bytes each: an id belongs to the first conversation that comes with it.
    """

    def __init__(self, forgotten: frozenset[str], known: pl.Series) -> None:
        """Start with the ids of earlier runs.

        `forgotten` are fingerprints of people, `known` conversation ids.
        """
        self.forgotten = forgotten
        self._known = known.hash().rename("id").to_frame()

    def filter_batch(self, batch: Batch) -> FilteredBatch:
        """Return the next batch without forgotten people and repeated ids.

        The order stays. Whose record it is cannot be known where the record could not be read: while anybody is to be
        forgotten, no excerpt of such a record is kept.
        """
        nth = (pl.col("message_index") == 0).cum_sum()
        messages = batch.messages.with_columns(nth=nth, id=pl.col("conversation_id").hash())
        forgotten = messages.filter(is_forgotten(messages["user_key"], self.forgotten))["nth"].unique()
        messages = messages.filter(~pl.col("nth").is_in(forgotten.implode()))
        is_first = pl.col("nth") == pl.col("nth").first().over("id")
        earlier = self._known.filter(pl.col("id").is_in(messages["id"].implode()))["id"]
        is_new = is_first & ~pl.col("id").is_in(earlier.implode())
        repeated = messages.filter(~is_new, message_index=0)
        has_content_id = repeated["conversation_id"].is_in(list(batch.content_ids))
        new = messages.filter(is_new)
        self._known = self._known.vstack(new.filter(message_index=0).select("id"))
        unread = batch.quarantine.with_columns(excerpt=pl.lit("")) if self.forgotten else batch.quarantine
        return FilteredBatch(
            messages=new.select(list(schemas.MESSAGES)),
            quarantine=pl.concat([unread, _quarantine_repeated(repeated, has_content_id)]),
            n_forgotten=forgotten.len(),
            unread_feedback=batch.unread_feedback,
        )


def _quarantine_repeated(first_messages: pl.DataFrame, has_content_id: pl.Series) -> pl.DataFrame:
    """Return the quarantine rows of conversations whose id occurred earlier.

    Each conversation is given by its first message, and by whether its id is a hash of its content.
    """
    return first_messages.select(
        "source",
        record="conversation_id",
        reason=pl.when(has_content_id).then(pl.lit(SAME_CONTENT)).otherwise(pl.lit(SAME_ID)),
        excerpt=pl.col("text").str.head(200),
    )
