"""What an arm's metrics file says of its pairs: yield, reasons, lengths, measures, and how far people agree."""

from typing import Any

import polars as pl

from turnabout.quality.lengths import length_bias
from turnabout.quality.people import agreement, choices
from turnabout.quality.screening import RESAMPLES, Screened

#: Measures that are told by their quartiles.
MEASURES = ("margin", "strength_mean", "difficulty", "ches")


def summary(screened: Screened, messages: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Pairs built, kept by split, dropped and changed by kind of reason, and what is measured of the kept ones.

    A measure that no pair has is null.
    """
    pairs = screened.pairs
    kept = pairs.filter("keep")
    places = pairs.select("conversation_id").unique()
    said = messages.join(places, on="conversation_id", how="semi", maintain_order="left")
    return {
        "n_pairs": pairs.height,
        "n_kept": kept.height,
        "n_people": kept.select(pl.coalesce("user_key", "conversation_id")).to_series().n_unique(),
        "kept_by_split": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "dropped_by_reason": by_reason(pairs.filter(~pl.col("keep"))),
        "changed_by_reason": by_reason(kept),
        "lengths": length_bias(pairs, RESAMPLES, seed),
        "people": agreement(pairs, choices(said), RESAMPLES, seed),
        "strength": screened.strength,
        "ranked_wrongly_before_training": (kept["difficulty"] > 0).mean(),
        **{measure: quartiles(kept[measure]) for measure in MEASURES},
    }


def by_reason(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs there are of each kind of reason (what stands before its colon), sorted by kind."""
    kind = pairs["reason"].drop_nulls().str.split(": ").list.first()
    return dict(kind.value_counts().sort("reason").iter_rows())


def quartiles(values: pl.Series) -> dict[str, Any] | None:
    """Count, mean and quartiles of what is not null; None where nothing is."""
    measured = values.drop_nulls()
    if measured.is_empty():
        return None
    shares = {"low": 0.25, "median": 0.5, "high": 0.75}
    return {
        "n": measured.len(),
        "mean": measured.mean(),
        **{name: measured.quantile(share, "linear") for name, share in shares.items()},
    }
