"""Copies of rows that do not keep the rest of their batch in memory."""

import polars as pl


def detach_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Copy rows into memory of their own.

    Without the copy a few strings of a frame keep all its text in memory.
    """
    return pl.DataFrame(
        pl.from_arrow(rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())), schema=rows.schema
    )
