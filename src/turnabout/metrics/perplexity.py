"""How well a model foresees what people say: perplexity, and bits per character where tokenizers differ."""

import math

import polars as pl

from turnabout.stats.estimate import Estimate, difference, ratio

#: Later turns share a point of the plot.
LAST_TURN = 10

BY_TURN = pl.Schema(
    {"turn": pl.Int64, "bits_per_character": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
)


def perplexity(turns: pl.DataFrame, resamples: int, seed: int) -> Estimate:
    """exp(Σ nats / Σ tokens) of `user_turns.TURNS`; comparable only between models with one tokenizer."""
    nats = ratio(turns["nats"], turns["tokens"], turns["user_key"].to_list(), resamples, seed)
    value, low, high = (None if bound is None else math.exp(bound) for bound in nats[:3])
    return Estimate(value, low, high, nats.n, nats.reason)


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
    """Bits per character of each turn (`BY_TURN`); from `LAST_TURN` on, all turns share a row."""
    capped = turns.with_columns(pl.col("turn").clip(upper_bound=LAST_TURN)).sort("turn", maintain_order=True)
    rows = []
    for (turn,), part in capped.partition_by("turn", as_dict=True, maintain_order=True).items():
        bits = bits_per_character(part, resamples, seed)
        rows.append({"turn": turn, "bits_per_character": bits.value, "low": bits.low, "high": bits.high, "n": bits.n})
    return pl.DataFrame(rows, schema=BY_TURN)


def _bits(turns: pl.DataFrame) -> pl.Series:
    return turns["nats"] / math.log(2)
