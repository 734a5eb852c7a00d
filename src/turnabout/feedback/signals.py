"""What every miner ends with: a frame of findings as rows of the feedback table."""

from typing import Literal, get_args

import polars as pl

from turnabout.core import schemas

WHERE = ["conversation_id", "reply_index", "evidence_index"]

#: Categories that are weak dissatisfaction: whoever asks back or asks for changes may still be content with the reply,
#: and a bad conversation is not the fault of the one reply its signal sits on.
WeakCategory = Literal["clarification", "revision", "experience"]
WEAK: tuple[WeakCategory, ...] = get_args(WeakCategory)

#: Category of a place where somebody asked for another reply: about the replies that went, not the one that stands.
REPLACED = "regeneration"

#: How sure a judgement that the log itself records is, by its category.
RECORDED = {"rating": 1.0, "reaction": 1.0, "edit": 0.8, "preference": 0.9, REPLACED: 0.7}

#: The miner's name of the rows that decide: at most one per reply, all its signals together.
ENSEMBLE = "ensemble"


def decisions(feedback: pl.DataFrame) -> pl.DataFrame:
    """What stands of the feedback table after all signals are weighed: at most one row per reply."""
    return feedback.filter(pl.col("miner") == ENSEMBLE)


def outright(feedback: pl.DataFrame) -> pl.DataFrame:
    """The rows that are no weak dissatisfaction."""
    return feedback.filter(~pl.col("category").is_in(WEAK))


def signals(found: pl.DataFrame, miner: str, version: str) -> pl.DataFrame:
    """Rows of `schemas.FEEDBACK` from findings that say where, which category, which span, `score` and `confidence`.

    `rule` is null unless the findings name it. The label is the sign of the score; a score of 0 would be no signal, and
    a miner must not send one here.
    """
    label = pl.when(pl.col("score") > 0).then(pl.lit("sat")).otherwise(pl.lit("dsat"))
    rule = pl.col("rule") if "rule" in found.columns else pl.lit(None)
    return found.select(
        *WHERE,
        label.alias("label"),
        "category",
        rule.cast(pl.String).alias("rule"),
        "span",
        pl.col("score").cast(pl.Float64),
        pl.col("confidence").cast(pl.Float64),
        pl.lit(miner).alias("miner"),
        pl.lit(version).alias("version"),
    ).select(list(schemas.FEEDBACK))
