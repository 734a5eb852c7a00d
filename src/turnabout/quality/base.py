"""The interface of every quality filter of preference pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.comparable_pairs import NOT_COMPARED

#: Bootstrap resamples of people behind an interval.
RESAMPLES = 1000


class FilterContext(NamedTuple):
    """What a filter may use besides the pairs and its own setting."""

    messages: pl.DataFrame
    """The logs that the pairs were built from (`schemas.MESSAGES`)."""
    seed: int
    reports: dict[str, Any]
    """What filters add to the metrics besides their columns and reasons, by the filter's key. Filters write into it."""


@dataclass(frozen=True)
class Filter:
    """A filter of preference pairs, declared by a field of `settings.Quality`.

    A filter is one function of the pairs (`schemas.PAIRS`), its setting and a `FilterContext`. It returns the same
    pairs: those that it drops have `keep` false and a `reason`, and it may fill columns or change labels.
    """

    apply: Callable[[pl.DataFrame, Any, FilterContext], pl.DataFrame]
    reads_policy: bool = False
    """Whether it needs the columns of `readings.Readings`, so that the policy must read the pairs first."""


def is_comparable() -> pl.Expr:
    """Return whether a pair is kept and compares two replies to one prompt.

    Unary rows and joint pairs do not.
    """
    return pl.col("keep") & NOT_COMPARED.is_null()


def drop_pairs(pairs: pl.DataFrame, is_faulty: pl.Expr, reason: str | pl.Expr) -> pl.DataFrame:
    """Return the pairs (`schemas.PAIRS`) with faulty ones dropped for `reason`.

    The rows stay. A pair that was dropped before keeps its first reason; null in `is_faulty` counts as false. The text
    before a colon in a reason is its kind; reasons are counted by kind.
    """
    is_dropped = pl.col("keep") & is_faulty.fill_null(False)
    reason = pl.lit(reason) if isinstance(reason, str) else reason
    return pairs.with_columns(
        keep=pl.col("keep") & ~is_dropped, reason=pl.when(is_dropped).then(reason).otherwise("reason")
    )
