"""The texts that could stand in place of a criticised reply.

They are the reply itself, and the versions of it that people and models wrote.
"""

import polars as pl

from turnabout.augment.base import AugmentInputs
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY

#: One text that could be the reply; `origin` is logged | edit | refinement | alternative.
CANDIDATES = pl.Schema(
    {"conversation_id": pl.String(), "reply_index": pl.Int32(), "origin": pl.String(), "text": pl.String()}
)


def collect_candidates(inputs: AugmentInputs, max_texts: int) -> pl.DataFrame:
    """Return at most `max_texts` distinct texts per criticised reply.

    The frame (`CANDIDATES`) is sorted by reply, then in the order of `origin`. Refinements are those kept in the table
    `refinements`, which is empty where no augmenter wrote it before.
    """
    messages = inputs.messages.rename({"message_index": "reply_index"}).join(
        inputs.criticised, on=REPLY_KEY, how="semi"
    )
    refinements = inputs.tables.get("refinements", pl.DataFrame(schema=schemas.REFINEMENTS))
    texts = [
        _select_texts(inputs.criticised, "logged", "reply"),
        _select_texts(messages, "edit", "edited_text"),
        _select_texts(refinements.filter("kept"), "refinement", "refined"),
        _select_texts(messages.explode("alternatives"), "alternative", "alternatives"),
    ]
    return (
        pl.concat(texts)
        .filter(pl.col("text").str.contains(r"\S"))
        .unique([*REPLY_KEY, "text"], keep="first", maintain_order=True)
        .group_by(REPLY_KEY, maintain_order=True)
        .head(max_texts)
        .sort(REPLY_KEY, maintain_order=True)
        .select(list(CANDIDATES))
    )


def _select_texts(rows: pl.DataFrame, origin: str, column: str) -> pl.DataFrame:
    return rows.sort(REPLY_KEY, maintain_order=True).select(*REPLY_KEY, origin=pl.lit(origin), text=column)
