"""Pairs that compare two replies to the same words: what a reward head learns from and a ranking is measured on."""

import polars as pl

#: Why a pair compares nothing, null where it compares two replies to one prompt.
NOT_COMPARED = (
    pl.when(pl.any_horizontal(pl.col("chosen", "rejected").is_null()))
    .then(pl.lit("one reply alone"))
    .when(pl.col("rejected_prompt").is_not_null())
    .then(pl.lit("different prompts"))
)


def comparable_pairs(pairs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The pairs (`schemas.PAIRS`) with both replies after one prompt, and how many of the others by reason.

    Log-probabilities and rewards of replies to different prompts do not compare, and a single reply with nothing.
    """
    told = pairs.with_columns(skipped=NOT_COMPARED)
    counts = told.drop_nulls("skipped").group_by("skipped").len().sort("skipped")
    return told.filter(pl.col("skipped").is_null()).drop("skipped"), dict(counts.iter_rows())
