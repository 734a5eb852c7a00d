"""Perplexity, and bits per character for models with different tokenizers."""

import math

import polars as pl

from turnabout.stats.estimate import Bootstrap, Estimate

#: Turns from this number on share a point of the plot.
LAST_TURN = 10

BITS_BY_TURN = pl.Schema(
    {"turn": pl.Int64, "bits_per_character": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
)


def estimate_perplexity(turns: pl.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """Estimate exp(Σ nats / Σ tokens) of `user_turns.TURN_SCORES`.

    Comparable only between models with the same tokenizer.
    """
    nats = bootstrap.ratio(turns["nats"], turns["tokens"], turns["user_key"].to_list())
    value, low, high = (None if bound is None else math.exp(bound) for bound in nats[:3])
    return nats._replace(value=value, low=low, high=high)


def estimate_bits_per_character(turns: pl.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """Estimate Σ nats / ln 2 / Σ characters of `user_turns.TURN_SCORES`.

    Comparable across tokenizers.
    """
    return bootstrap.ratio(_nats_to_bits(turns["nats"]), turns["characters"], turns["user_key"].to_list())


def estimate_bits_saved(before: pl.DataFrame, after: pl.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """Estimate bits per character before minus after training.

    Both are measured on the same user messages (paired); positive is better.
    """
    paired = before.join(after, on=["conversation_id", "turn"], suffix="_after", validate="1:1")
    bits_before = (_nats_to_bits(paired["nats"]), paired["characters"])
    bits_after = (_nats_to_bits(paired["nats_after"]), paired["characters_after"])
    return bootstrap.difference(bits_before, bits_after, paired["user_key"].to_list())


def estimate_bits_by_turn(turns: pl.DataFrame, bootstrap: Bootstrap) -> pl.DataFrame:
    """Return bits per character by number of the turn (`BITS_BY_TURN`).

    All turns from `LAST_TURN` on share a row.
    """
    capped = turns.with_columns(pl.col("turn").clip(upper_bound=LAST_TURN)).sort("turn", maintain_order=True)
    rows = []
    for (turn,), part in capped.partition_by("turn", as_dict=True, maintain_order=True).items():
        bits = estimate_bits_per_character(part, bootstrap)
        rows.append({"turn": turn, "bits_per_character": bits.value, "low": bits.low, "high": bits.high, "n": bits.n})
    return pl.DataFrame(rows, schema=BITS_BY_TURN)


def _nats_to_bits(nats: pl.Series) -> pl.Series:
    return nats / math.log(2)
