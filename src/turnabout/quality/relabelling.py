"""What follows from the strength of training pairs: wrong labels go or are turned round, ambiguous ones count less."""

from typing import NamedTuple

import polars as pl

from turnabout.quality.dropping import dropped
from turnabout.quality.strength import Strength

#: Columns that change places when a label is turned round, and columns that change their sign.
SWAPPED = {"chosen": "rejected", "rejected": "chosen", "r_chosen": "r_rejected", "r_rejected": "r_chosen"}
NEGATED = ("margin", "strength_mean")


class Relabelled(NamedTuple):
    """The pairs, their labels as the ensemble would have them, and how many of each kind it found."""

    pairs: pl.DataFrame
    counts: dict[str, int]


def relabelled(pairs: pl.DataFrame, how: Strength) -> Relabelled:
    """The pairs, of which training pairs with a weak `strength_mean` are changed as `how` says; each says so.

    Pairs of validation users stay as they are: a model's opinion must not choose what models are measured on.
    """
    train = pairs.filter(split="train").sort("strength_mean", "pair_id")
    weakest, weak = (int(share * train.height) for share in (how.wrong, how.wrong + how.ambiguous))
    wrong = train.head(weakest).filter(pl.col("strength_mean") < 0)["pair_id"]
    ambiguous = train.head(weak)["pair_id"].filter(~train.head(weak)["pair_id"].is_in(wrong.implode()))
    is_wrong, is_ambiguous = (pl.col("pair_id").is_in(ids.implode()) for ids in (wrong, ambiguous))
    # How likely the ensemble finds the label right: never less than a toss-up, for such labels are the wrong ones.
    p_win = (1 / (1 + (-pl.col("strength_mean")).exp())).clip(0.5, 1)
    match how.ambiguous_are:
        case "softened":
            pairs = _changed(pairs, is_ambiguous, "softened: strength", p_win=p_win)
        case "weighted":
            pairs = _changed(pairs, is_ambiguous, "weighted: strength", weight=pl.col("weight") * (2 * p_win - 1))
            pairs = dropped(pairs, is_ambiguous & (pl.col("weight") == 0), "label no better than a toss-up")
    match how.wrong_are:
        case "dropped":
            pairs = dropped(pairs, is_wrong, "label taken to be wrong")
        case "flipped":
            pairs = flipped(pairs, is_wrong)
    return Relabelled(pairs, {"n_wrong": len(wrong), "n_ambiguous": len(ambiguous)})


def flipped(pairs: pl.DataFrame, where: pl.Expr) -> pl.DataFrame:
    """The pairs, those of `where` with their sides exchanged; a rationale of the old order is gone."""
    swaps = {column: pl.col(other) for column, other in SWAPPED.items()}
    signs = {column: -pl.col(column) for column in NEGATED}
    return _changed(pairs, where, "flipped: strength", **swaps, **signs, rationale=pl.lit(None, pl.String))


def _changed(pairs: pl.DataFrame, where: pl.Expr, reason: str, **columns: pl.Expr) -> pl.DataFrame:
    """The pairs with other values in some columns of `where`, and the reason there."""
    changes = {"reason": pl.lit(reason), **columns}
    return pairs.with_columns(
        pl.when(where).then(value).otherwise(pl.col(column)).alias(column) for column, value in changes.items()
    )
