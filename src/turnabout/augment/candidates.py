"""The texts that could stand in place of a criticised reply: itself, and what people and models made of it."""

import polars as pl

from turnabout.augment.base import Logs
from turnabout.core import schemas

REPLY = ["conversation_id", "reply_index"]

#: One text that could be the reply; `origin` is logged | edit | refinement | alternative.
CANDIDATES = pl.Schema(
    {"conversation_id": pl.String(), "reply_index": pl.Int32(), "origin": pl.String(), "text": pl.String()}
)


def candidates(logs: Logs, most: int) -> pl.DataFrame:
    """At most `most` distinct texts per criticised reply (`CANDIDATES`), by reply, and in the order of `origin`.

    Refinements are those kept of the table `refinements`, empty where nothing wrote it before.
    """
    said = logs.messages.rename({"message_index": "reply_index"}).join(logs.criticised, on=REPLY, how="semi")
    refinements = logs.tables.get("refinements", pl.DataFrame(schema=schemas.REFINEMENTS))
    found = [
        _texts(logs.criticised, "logged", "reply"),
        _texts(said, "edit", "edited_text"),
        _texts(refinements.filter("kept"), "refinement", "refined"),
        _texts(said.explode("alternatives"), "alternative", "alternatives"),
    ]
    return (
        pl.concat(found)
        .filter(pl.col("text").str.contains(r"\S"))
        .unique([*REPLY, "text"], keep="first", maintain_order=True)
        .group_by(REPLY, maintain_order=True)
        .head(most)
        .sort(REPLY, maintain_order=True)
        .select(list(CANDIDATES))
    )


def _texts(rows: pl.DataFrame, origin: str, column: str) -> pl.DataFrame:
    return rows.sort(REPLY, maintain_order=True).select(*REPLY, origin=pl.lit(origin), text=column)
