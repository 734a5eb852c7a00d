"""How a filter drops: the row stays, no longer kept, with its reason; what was dropped before keeps its own."""

import polars as pl

from turnabout.core.comparable_pairs import NOT_COMPARED


def is_comparable() -> pl.Expr:
    """Whether a pair is kept and compares two replies to one prompt; unary and joint rows do not."""
    return pl.col("keep") & NOT_COMPARED.is_null()


def dropped(pairs: pl.DataFrame, faulty: pl.Expr, reason: str | pl.Expr) -> pl.DataFrame:
    """The pairs (`schemas.PAIRS`), of which the kept ones that are `faulty` (null is not) are dropped for `reason`.

    What stands before a colon in a reason is its kind; reasons are counted by kind.
    """
    goes = pl.col("keep") & faulty.fill_null(False)
    why = pl.lit(reason) if isinstance(reason, str) else reason
    return pairs.with_columns(keep=pl.col("keep") & ~goes, reason=pl.when(goes).then(why).otherwise("reason"))


def highest_dropped(pairs: pl.DataFrame, column: str, share: float, reason: str) -> pl.DataFrame:
    """The pairs without the given share of kept training pairs whose `column` is highest, rounded down; ties by id.

    Pairs of validation users stay: a model's opinion must not choose what models are measured on.
    """
    ranked = pairs.filter(is_comparable(), pl.col(column).is_not_null(), split="train")
    ranked = ranked.sort(column, "pair_id", descending=[True, False])
    highest = ranked.head(int(share * ranked.height))["pair_id"]
    return dropped(pairs, pl.col("pair_id").is_in(highest.implode()), reason)
