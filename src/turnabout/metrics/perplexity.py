"""How well a model foresees what people say: perplexity, and bits per character where tokenizers differ."""

import math

import polars as pl

from turnabout.metrics.estimate import Estimate, difference, ratio, statistic

#: Later turns share a point of the plot.
LAST_TURN = 10


def perplexity(turns: pl.DataFrame, resamples: int, seed: int) -> Estimate:
    """exp(Σ nats / Σ tokens) of `user_turns.TURNS`; comparable only between models with one tokenizer."""
    nats = ratio(turns["nats"], turns["tokens"], turns["user_key"].to_list(), resamples, seed)
    bounds = (None if bound is None else math.exp(bound) for bound in (nats.value, nats.low, nats.high))
    return Estimate(*bounds, nats.n, nats.reason)


def bits_per_character(turns: pl.DataFrame, resamples: int, seed: int) -> Estimate:
    """Σ nats / ln 2 / Σ characters of `user_turns.TURNS`; comparable across tokenizers."""
    return ratio(_bits(turns), turns["characters"], turns["user_key"].to_list(), resamples, seed)


def bits_saved(before: pl.DataFrame, after: pl.DataFrame, resamples: int, seed: int) -> Estimate:
    """Bits per character before minus after training, on the same user messages (paired; positive is better)."""
    paired = before.join(after, on=["conversation_id", "turn"], suffix="_after", validate="1:1")
    ones = (_bits(paired), paired["characters"])
    others = (paired["nats_after"] / math.log(2), paired["characters_after"])
    return difference(ones, others, paired["user_key"].to_list(), resamples, seed)


def by_turn(turns: pl.DataFrame, resamples: int, seed: int) -> pl.DataFrame:
    """Bits per character of each turn (the last one holds all later ones): turn, bits_per_character, low, high, n."""
    capped = turns.with_columns(pl.col("turn").clip(upper_bound=LAST_TURN)).sort("turn", maintain_order=True)
    rows = [
        {"turn": turn, "estimate": bits_per_character(part, resamples, seed)}
        for (turn,), part in capped.partition_by("turn", as_dict=True).items()
    ]
    return pl.DataFrame(
        [{"turn": row["turn"], "bits_per_character": row["estimate"].value, **_bounds(row["estimate"])} for row in rows],
        schema={"turn": pl.Int64, "bits_per_character": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64},
    )


def _bits(turns: pl.DataFrame) -> pl.Series:
    return turns["nats"] / math.log(2)


def _bounds(estimate: Estimate) -> dict[str, float | int | None]:
    return {"low": estimate.low, "high": estimate.high, "n": estimate.n}
