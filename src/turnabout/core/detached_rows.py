"""Rows that outlive the batch they came in."""

import polars as pl


def detach_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows in memory of their own: otherwise a few strings of a frame keep all its text alive."""
    return pl.DataFrame(
        pl.from_arrow(rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())), schema=rows.schema
    )
