"""The metrics of an arm's pairs: counts, reasons, lengths and measures."""

from typing import Any

import polars as pl

from turnabout.quality.base import RESAMPLES
from turnabout.quality.filters import CHOSEN_LENGTH, REJECTED_LENGTH
from turnabout.quality.human_agreement import find_choices, measure_agreement
from turnabout.quality.screening import ScreenedPairs
from turnabout.stats.estimate import Bootstrap

#: Columns that are summarised by their quartiles.
MEASURES = ("margin", "strength_mean", "difficulty", "ches")


def summarise_pairs(screened: ScreenedPairs, messages: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Return the counts of pairs and the measures of those kept.

    Pairs are counted by split and by kind of reason. A measure that no pair has is null, and so is the report of a
    filter that is off.
    """
    pairs, bootstrap = screened.pairs, Bootstrap(RESAMPLES, seed)
    kept = pairs.filter("keep")
    conversations = pairs.select("conversation_id").unique()
    logged = messages.join(conversations, on="conversation_id", how="semi", maintain_order="left")
    return {
        "n_pairs": pairs.height,
        "n_kept": kept.height,
        "n_people": kept.select(pl.coalesce("user_key", "conversation_id")).to_series().n_unique(),
        "kept_by_split": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "dropped_by_reason": count_by_reason(pairs.filter(~pl.col("keep"))),
        "changed_by_reason": count_by_reason(kept),
        "lengths": measure_length_bias(pairs, bootstrap),
        "people": measure_agreement(pairs, find_choices(logged), bootstrap),
        "strength": None,
        **screened.reports,
        "ranked_wrongly_before_training": (kept["difficulty"] > 0).mean(),
        **{measure: compute_quartiles(kept[measure]) for measure in MEASURES},
    }


def measure_length_bias(pairs: pl.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    """Estimate how often the chosen reply of the kept pairs is the longer one.

    1/2 is no bias; replies of equal length count half. `median_difference` is chosen − rejected, in characters.
    Training on pairs whose chosen reply is mostly the longer one teaches length (Singhal et al. 2023, arXiv
    2310.03716).
    """
    compared = (
        pairs.filter("keep")
        .drop_nulls(["chosen", "rejected"])
        .select(
            person=pl.coalesce("user_key", "conversation_id"),
            difference=CHOSEN_LENGTH.cast(pl.Int64) - REJECTED_LENGTH.cast(pl.Int64),
        )
    )
    is_longer = (compared["difference"].sign() + 1) / 2
    return {
        "chosen_is_longer": bootstrap.mean(is_longer.to_numpy(), compared["person"].to_list()).to_dict(),
        "median_difference": compared["difference"].median(),
    }


def count_by_reason(pairs: pl.DataFrame) -> dict[str, int]:
    """Count the pairs by kind of reason, sorted.

    The kind is the text before the reason's colon.
    """
    kind = pairs["reason"].drop_nulls().str.split(": ").list.first()
    return dict(kind.value_counts().sort("reason").iter_rows())


def compute_quartiles(values: pl.Series) -> dict[str, Any] | None:
    """Return count, mean and quartiles of the values that are not null, or None."""
    known = values.drop_nulls()
    if known.is_empty():
        return None
    shares = {"low": 0.25, "median": 0.5, "high": 0.75}
    return {
        "n": known.len(),
        "mean": known.mean(),
        **{name: known.quantile(share, "linear") for name, share in shares.items()},
    }
