"""Contradictions: the same two replies to the same prompt, preferred once this way and once the other."""

import polars as pl

from turnabout.quality.dropping import dropped, is_comparable
from turnabout.quality.sides import ordered

#: What two pairs share that are about the same question.
QUESTION = ["split", "asked", "first", "second"]


def without_contradictions(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs without those that others contradict with as much weight or more; the reason names the first of them.

    Votes of one direction add up, so the heavier direction stays, and of equally heavy ones both go: nobody knows which
    is right. Replies are the same that have the same words. Pairs are held against pairs of their own split alone:
    what held-out people say differently is what they are held out for.
    """
    votes = _votes(pairs)
    sides = votes.group_by(*QUESTION, "prefers_first").agg(pl.col("weight").sum(), pl.col("pair_id").min())
    other = sides.with_columns(~pl.col("prefers_first"))
    beaten = (
        votes.drop("weight")
        .join(sides.drop("pair_id"), on=[*QUESTION, "prefers_first"])
        .join(other, on=[*QUESTION, "prefers_first"], suffix="_against")
        .filter(pl.col("weight") <= pl.col("weight_against"))
    )
    against = beaten.select("pair_id", against="pair_id_against")
    found = pairs.join(against, on="pair_id", how="left", maintain_order="left")
    reason = pl.format("contradiction: {} prefers the opposite", "against")
    return dropped(found, pl.col("against").is_not_null(), reason).drop("against")


def _votes(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row per kept pair of one prompt: its question, which side it prefers, and its weight."""
    asked = pl.col("prompt").list.eval(pl.element().struct.json_encode()).list.join("\n")
    told = pairs.filter(is_comparable()).with_columns(asked=asked)
    return ordered(told, "chosen", "rejected").select("pair_id", "weight", *QUESTION, "prefers_first")
