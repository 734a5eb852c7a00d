"""Two replies as a question without an order, and its answer: so preferences of the same two can be held together."""

import polars as pl

from turnabout.text.word_ngrams import words


def ordered(preferences: pl.DataFrame, preferred: str, other: str) -> pl.DataFrame:
    """The rows with `first` and `second`, both replies' words in order, and `prefers_first`.

    Replies are the same that have the same words, whatever their case and punctuation; rows of two such are left out.
    """
    said = preferences.with_columns(
        _preferred=words(pl.col(preferred)).list.join(" "), _other=words(pl.col(other)).list.join(" ")
    )
    return (
        said.filter(pl.col("_preferred") != pl.col("_other"))
        .with_columns(
            first=pl.min_horizontal("_preferred", "_other"),
            second=pl.max_horizontal("_preferred", "_other"),
            prefers_first=pl.col("_preferred") < pl.col("_other"),
        )
        .drop("_preferred", "_other")
    )
