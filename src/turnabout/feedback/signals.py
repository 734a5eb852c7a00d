"""Rows of the feedback table, and the kinds of signal."""

from typing import Literal, get_args

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY

#: Columns that identify a reply and the message that is the evidence about it.
EVIDENCE_KEY = [*REPLY_KEY, "evidence_index"]

#: Categories of weak dissatisfaction. A user who asks back or asks for changes may still be content with the reply, and
#: a bad conversation (`experience`) is not the fault of the one reply that carries its signal.
WeakCategory = Literal["clarification", "revision", "experience"]
WEAK: tuple[WeakCategory, ...] = get_args(WeakCategory)

#: Category of a reply that replaced others on request: the signal is about the replaced ones, not about this one.
REPLACED = "regeneration"

#: Confidence of the judgements that the log itself records, by category.
RECORDED_CONFIDENCE = {"rating": 1.0, "reaction": 1.0, "edit": 0.8, "preference": 0.9, REPLACED: 0.7}

#: Value of `miner` in the rows that decide: at most one row per reply, which combines all its signals.
ENSEMBLE = "ensemble"


def select_decisions(feedback: pl.DataFrame) -> pl.DataFrame:
    """Return the decisions of the feedback table, at most one row per reply."""
    return feedback.filter(pl.col("miner") == ENSEMBLE)


def drop_weak(feedback: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose category is not weak dissatisfaction (`WEAK`)."""
    return feedback.filter(~pl.col("category").is_in(WEAK))


def build_signals(findings: pl.DataFrame, miner: str, version: str) -> pl.DataFrame:
    """Build rows of `schemas.FEEDBACK` from a miner's findings.

    `findings` has `EVIDENCE_KEY`, `category`, `span`, `score` and `confidence`; `rule` is optional and null without it.
    The label is the sign of the score. A score of 0 would be no signal, and a miner must not pass one.
    """
    label = pl.when(pl.col("score") > 0).then(pl.lit("sat")).otherwise(pl.lit("dsat"))
    rule = pl.col("rule") if "rule" in findings.columns else pl.lit(None)
    return findings.select(
        *EVIDENCE_KEY,
        label.alias("label"),
        "category",
        rule.cast(pl.String).alias("rule"),
        "span",
        pl.col("score").cast(pl.Float64),
        pl.col("confidence").cast(pl.Float64),
        pl.lit(miner).alias("miner"),
        pl.lit(version).alias("version"),
    ).select(list(schemas.FEEDBACK))
