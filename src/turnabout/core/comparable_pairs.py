"""Pairs that compare two replies to one prompt.

Reward heads learn from them and rankings are measured on them.
"""

import polars as pl

#: Reason why a pair cannot be compared; null if it has two replies to one prompt.
NOT_COMPARED = (
    pl.when(pl.any_horizontal(pl.col("chosen", "rejected").is_null()))
    .then(pl.lit("one reply alone"))
    .when(pl.col("rejected_prompt").is_not_null())
    .then(pl.lit("different prompts"))
)


def split_comparable_pairs(pairs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the comparable pairs, and counts of the other pairs by reason.

    `pairs` has the schema `schemas.PAIRS`. Log-probabilities and rewards of replies to different prompts cannot be
    compared, and neither can a single reply.
    """
    marked = pairs.with_columns(skipped=NOT_COMPARED)
    counts = marked.drop_nulls("skipped").group_by("skipped").len().sort("skipped")
    return marked.filter(pl.col("skipped").is_null()).drop("skipped"), dict(counts.iter_rows())
