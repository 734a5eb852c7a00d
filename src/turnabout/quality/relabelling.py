"""The filter by strength: it drops, flips, softens or weights weak pairs."""

from typing import NamedTuple

import polars as pl

from turnabout.quality.base import RESAMPLES, FilterContext, drop_pairs, is_comparable
from turnabout.quality.readings import SWAPPED_READINGS
from turnabout.quality.strength import Strength, measure_strength
from turnabout.stats.estimate import Bootstrap

#: Columns that change places when a label is flipped, and columns that change their sign.
SWAPPED = {
    "chosen": "rejected",
    "rejected": "chosen",
    "r_chosen": "r_rejected",
    "r_rejected": "r_chosen",
    **SWAPPED_READINGS,
}
NEGATED = ("margin", "strength_mean")


class RelabelledPairs(NamedTuple):
    """The relabelled pairs, and the numbers of wrong and ambiguous ones."""

    pairs: pl.DataFrame
    counts: dict[str, int]


def relabel_by_strength(pairs: pl.DataFrame, settings: Strength, context: FilterContext) -> pl.DataFrame:
    """Measure the strength of comparable pairs and act on it if it is credible.

    It must precede the other filters that read the policy, because their measures depend on which reply is the chosen
    one. The pairs have the columns of `readings.Readings`; `end_difference` is used up. The report, with the reason
    why nothing was done if so, is `context.reports["strength"]`.
    """
    is_measured = is_comparable()
    unmeasured = pairs.filter(~is_measured).drop("end_difference")
    comparable = pairs.filter(is_measured)
    differences = comparable["end_difference"].to_numpy()
    measured, report = measure_strength(
        comparable.drop("end_difference"),
        differences,
        settings,
        bootstrap=Bootstrap(RESAMPLES, context.seed),
        seed=context.seed,
    )
    if "reason" not in report:
        measured, counts = relabel_pairs(measured, settings)
        report |= counts
    context.reports["strength"] = report
    return pl.concat([unmeasured, measured])


def relabel_pairs(pairs: pl.DataFrame, settings: Strength) -> RelabelledPairs:
    """Change training pairs with a low `strength_mean` as `settings` says.

    Each changed pair has a `reason`. Pairs of validation users stay as they are: a model's opinion must not choose what
    models are measured on.
    """
    train = pairs.filter(split="train").sort("strength_mean", "pair_id")
    n_wrong, n_weak = int(settings.wrong * train.height), int((settings.wrong + settings.ambiguous) * train.height)
    wrong = train.head(n_wrong).filter(pl.col("strength_mean") < 0)["pair_id"]
    weak = train.head(n_weak)["pair_id"]
    ambiguous = weak.filter(~weak.is_in(wrong.implode()))
    is_wrong, is_ambiguous = (pl.col("pair_id").is_in(ids.implode()) for ids in (wrong, ambiguous))
    # P(the label is right) by the ensemble. It is never below 1/2, because labels below that are the wrong ones.
    p_win = (1 / (1 + (-pl.col("strength_mean")).exp())).clip(0.5, 1)
    match settings.ambiguous_are:
        case "softened":
            pairs = _change_pairs(pairs, is_ambiguous, "softened: strength", p_win=p_win)
        case "weighted":
            weight = pl.col("weight") * (2 * p_win - 1)
            pairs = _change_pairs(pairs, is_ambiguous, "weighted: strength", weight=weight)
            pairs = drop_pairs(pairs, is_ambiguous & (pl.col("weight") == 0), "label no better than a toss-up")
    match settings.wrong_are:
        case "dropped":
            pairs = drop_pairs(pairs, is_wrong, "label taken to be wrong")
        case "flipped":
            pairs = flip_pairs(pairs, is_wrong)
    return RelabelledPairs(pairs, {"n_wrong": len(wrong), "n_ambiguous": len(ambiguous)})


def flip_pairs(pairs: pl.DataFrame, is_flipped: pl.Expr) -> pl.DataFrame:
    """Return the pairs, the flipped ones with their sides exchanged.

    A rationale of the old order is removed.
    """
    swaps = {column: pl.col(other) for column, other in SWAPPED.items() if column in pairs.columns}
    signs = {column: -pl.col(column) for column in NEGATED}
    return _change_pairs(pairs, is_flipped, "flipped: strength", **swaps, **signs, rationale=pl.lit(None, pl.String))


def _change_pairs(pairs: pl.DataFrame, is_changed: pl.Expr, reason: str, **columns: pl.Expr) -> pl.DataFrame:
    """Return the pairs with new values and the reason in the changed ones."""
    changes = {"reason": pl.lit(reason), **columns}
    return pairs.with_columns(
        pl.when(is_changed).then(value).otherwise(pl.col(column)).alias(column) for column, value in changes.items()
    )
