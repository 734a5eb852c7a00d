"""Caps: a few people who say much must not decide what everybody's assistant learns."""

import polars as pl

from turnabout.quality.dropping import dropped


def capped(pairs: pl.DataFrame, most: int) -> pl.DataFrame:
    """The pairs without those beyond the `most` heaviest of one person, then of the widest margin, then by id.

    A conversation whose person the log does not name counts as a person.
    """
    person = pl.coalesce("user_key", "conversation_id")
    ranked = pairs.filter("keep").sort(
        "weight", pl.col("margin").abs(), "pair_id", descending=[True, True, False], nulls_last=True
    )
    beyond = ranked.filter(pl.int_range(pl.len()).over(person) >= most)["pair_id"]
    return dropped(pairs, pl.col("pair_id").is_in(beyond.implode()), f"beyond {most} pairs of one person")
