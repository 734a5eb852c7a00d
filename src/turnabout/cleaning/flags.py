"""Warnings about single messages: the column `flags` of `schemas.MESSAGES`."""

import polars as pl


def with_flag(messages: pl.DataFrame, flag: str, is_flagged: pl.Series) -> pl.DataFrame:
    """The messages with `flag` among the flags where `is_flagged`, one Boolean a row; each flag once, sorted."""
    flags = pl.col("flags")
    added = pl.concat_list(flags.fill_null([]), pl.lit(flag)).list.unique().list.sort()
    return messages.with_columns(flags=pl.when(is_flagged).then(added).otherwise(flags))
