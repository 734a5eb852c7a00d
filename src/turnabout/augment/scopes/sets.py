"""In scope, near it, or out of it: what becomes of each prompt of one rule."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sets(NamedTuple):
    """Most prompts of one scope, and from which cosine on a prompt is near."""

    most: int
    near_from: float


def scoped(applies: Sequence[float | None], vectors: "NDArray[np.float32]", how: Sets) -> pl.DataFrame:
    """Columns `scope`, `applies`, `similarity`, `kept` and `reason`, a row per prompt, in order.

    `applies` is P(the rule applies), `vectors` are unit vectors of the prompts. Kept are the surest prompts in scope,
    the nearest ones near it, and the first ones out of it. A rule that applies everywhere, or nowhere, has no scopes.
    """
    prompts = pl.DataFrame({"applies": applies}, {"applies": pl.Float64()})
    within = prompts["applies"].fill_null(0.0).to_numpy() > 0.5
    similarity = (vectors @ vectors[within].T).max(axis=1, initial=-1.0)
    outside = (pl.col("applies") < 0.5).fill_null(False)
    scope = (
        pl.when(pl.col("applies") > 0.5)
        .then(pl.lit("in"))
        .when(outside & (pl.col("similarity") >= how.near_from))
        .then(pl.lit("near"))
        .when(outside)
        .then(pl.lit("out"))
    )
    return (
        prompts.with_columns(similarity=pl.Series(similarity, dtype=pl.Float64))
        .with_columns(scope=scope)
        .with_columns(place=_place())
        .with_columns(reason=_reason(how.most))
        .select(
            "scope",
            "applies",
            similarity=pl.when((pl.col("scope") != "in").fill_null(True) & bool(within.any())).then("similarity"),
            kept=pl.col("reason").is_null(),
            reason="reason",
        )
    )


def _place() -> pl.Expr:
    """Where a prompt stands among those of its scope, 0 is first."""
    order = pl.when(scope="in").then(-pl.col("applies")).when(scope="near").then(-pl.col("similarity")).otherwise(0.0)
    return order.rank("ordinal").over("scope") - 1


def _reason(most: int) -> pl.Expr:
    is_in = pl.col("scope") == "in"
    return (
        pl.when(pl.col("applies").is_null())
        .then(pl.lit("no usable answer"))
        .when(pl.col("scope").is_null())
        .then(pl.lit("undecided"))
        .when(~is_in.any())
        .then(pl.lit("applies nowhere"))
        .when(is_in.drop_nulls().all())
        .then(pl.lit("applies everywhere"))
        .when(pl.col("place") >= most)
        .then(pl.lit("more than needed"))
    )
