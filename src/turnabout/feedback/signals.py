"""What every miner ends with: a frame of findings as rows of the feedback table."""

import polars as pl

from turnabout import schemas

WHERE = ["conversation_id", "reply_index", "evidence_index"]


def signals(found: pl.DataFrame, miner: str, version: str) -> pl.DataFrame:
    """Rows of `schemas.FEEDBACK` from findings that say where, which category, which span, `score` and `confidence`.

    The label is the sign of the score; a score of 0 would be no signal, and a miner must not send one here.
    """
    label = pl.when(pl.col("score") > 0).then(pl.lit("sat")).otherwise(pl.lit("dsat"))
    return found.select(
        *WHERE,
        label.alias("label"),
        "category",
        "span",
        pl.col("score").cast(pl.Float64),
        pl.col("confidence").cast(pl.Float64),
        pl.lit(miner).alias("miner"),
        pl.lit(version).alias("version"),
    ).select(list(schemas.FEEDBACK))
