"""The scope of each prompt of one rule: in, near or out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ScopeLimits(NamedTuple):
    """Limits on the scopes of a rule."""

    max_per_scope: int
    """Most prompts kept in one scope."""
    near_from: float
    """Least cosine to a prompt in scope at which one out of scope is near."""


def assign_scopes(applies: Sequence[float | None], vectors: "NDArray[np.float32]", limits: ScopeLimits) -> pl.DataFrame:
    """Return the scope of each prompt, in order.

    The columns are `scope`, `applies`, `similarity`, `kept` and `reason`. `applies` is P(the rule applies), `vectors`
    are unit vectors of the prompts, shape (prompts, dimensions). Kept are the most certain prompts in scope, the
    nearest ones near it, and the first ones out of it. A rule that applies everywhere, or nowhere, has no scopes.
    """
    prompts = pl.DataFrame({"applies": applies}, {"applies": pl.Float64()})
    in_scope = prompts["applies"].fill_null(0.0).to_numpy() > 0.5
    similarity = (vectors @ vectors[in_scope].T).max(axis=1, initial=-1.0)
    outside = (pl.col("applies") < 0.5).fill_null(False)
    scope = (
        pl.when(pl.col("applies") > 0.5)
        .then(pl.lit("in"))
        .when(outside & (pl.col("similarity") >= limits.near_from))
        .then(pl.lit("near"))
        .when(outside)
        .then(pl.lit("out"))
    )
    return (
        prompts.with_columns(similarity=pl.Series(similarity, dtype=pl.Float64))
        .with_columns(scope=scope)
        .with_columns(rank=_rank_in_scope())
        .with_columns(reason=_find_reason(limits.max_per_scope))
        .select(
            "scope",
            "applies",
            similarity=pl.when((pl.col("scope") != "in").fill_null(True) & bool(in_scope.any())).then("similarity"),
            kept=pl.col("reason").is_null(),
            reason="reason",
        )
    )


def _rank_in_scope() -> pl.Expr:
    """Return the rank of a prompt in its scope, from 0."""
    order = pl.when(scope="in").then(-pl.col("applies")).when(scope="near").then(-pl.col("similarity")).otherwise(0.0)
    return order.rank("ordinal").over("scope") - 1


def _find_reason(max_per_scope: int) -> pl.Expr:
    """Return why a prompt is not kept, or null."""
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
        .when(pl.col("rank") >= max_per_scope)
        .then(pl.lit("more than needed"))
    )
