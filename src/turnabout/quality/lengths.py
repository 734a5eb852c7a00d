"""Lengths of both replies, in characters: how often the chosen one is longer, and pairs told apart by length alone.

Who trains on pairs whose chosen side is mostly the longer one trains length (Singhal et al. 2023, arXiv 2310.03716).
"""

from typing import Any

import polars as pl

from turnabout.quality.dropping import dropped
from turnabout.stats.estimate import mean

CHOSEN, REJECTED = pl.col("chosen").str.len_chars(), pl.col("rejected").str.len_chars()


def of_like_length(pairs: pl.DataFrame, max_ratio: float) -> pl.DataFrame:
    """The pairs without those of which one reply has more than `max_ratio` times the characters of the other."""
    both = pl.col("chosen").is_not_null() & pl.col("rejected").is_not_null()
    ratio = pl.max_horizontal(CHOSEN, REJECTED) / pl.min_horizontal(CHOSEN, REJECTED)
    return dropped(pairs, both & (ratio > max_ratio), "lengths too far apart")


def length_bias(pairs: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Of the kept pairs: the share whose chosen reply is longer (1/2 is no bias), and chosen − rejected in characters.

    Replies of equal length count half.
    """
    told = (
        pairs.filter("keep")
        .drop_nulls(["chosen", "rejected"])
        .select(
            people=pl.coalesce("user_key", "conversation_id"),
            difference=CHOSEN.cast(pl.Int64) - REJECTED.cast(pl.Int64),
        )
    )
    longer = (told["difference"].sign() + 1) / 2
    return {
        "chosen_is_longer": mean(longer.to_numpy(), told["people"].to_list(), resamples, seed).to_dict(),
        "median_difference": told["difference"].median(),
    }
