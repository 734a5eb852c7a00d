"""Alternatives: of several replies to the same words, the one people preferred, or stopped at, is chosen."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.signals import RECORDED, REPLACED, decisions
from turnabout.preferences.from_logs import FromLogs, checked, replies, with_prompts


class Alternatives(FromLogs):
    """One pair per alternative of a logged reply; the alternatives are not compared with each other.

    Where people compared (ranks, votes side by side, ratings of both: `preferences` of `schemas.MESSAGES`), the
    preferred side is chosen and `margin` is by how much. Where they asked for another reply instead, the one they went
    on from is chosen.
    """

    rule: Literal["alternatives"] = "alternatives"
    min_margin: float = Field(default=0.0, ge=0)
    """Preferences that are weaker, on the log's scale of 0 to 1, are dropped: scores given with a slider are noisy."""

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """A regeneration counts only where the person went on from the new reply without complaining about it."""
        offered = replies(messages, splits).filter(pl.col("alternatives").list.len() > 0)
        judged = with_prompts(messages, offered).join(
            _complaints(feedback), on=["conversation_id", "reply_index"], how="left", maintain_order="left"
        )
        each = _one_by_one(judged)
        preference = pl.col("preferences")
        against = preference < 0
        strength = preference.abs()
        asked_again = ~pl.col("was_compared")
        reason = (
            pl.when(asked_again & pl.col("follow_up").is_null())
            .then(pl.lit("nobody went on"))
            .when(asked_again & pl.col("complaint").is_not_null())
            .then(pl.lit("complaint about the new reply"))
            .when(~asked_again & preference.is_null())
            .then(pl.lit("not compared"))
            .when(preference == 0)
            .then(pl.lit("tie"))
            .when(strength < self.min_margin)
            .then(pl.lit("small margin"))
        )
        did = pl.format("[preferred by {}]", strength.round(2))
        return checked(
            self.rule,
            each.with_columns(
                pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}", "conversation_id", "reply_index", "nth"),
                chosen=pl.when(against).then("alternatives").otherwise("reply"),
                rejected=pl.when(against).then("reply").otherwise("alternatives"),
                margin=strength,
                weight=pl.when(asked_again).then(RECORDED[REPLACED]).otherwise(RECORDED["preference"]),
                reason=reason,
                evidence=pl.when(asked_again).then("follow_up").otherwise(did),
            ),
        )


def _complaints(feedback: pl.DataFrame) -> pl.DataFrame:
    """Replies that drew dissatisfaction by more than that somebody had asked for them again; its category."""
    dissatisfied = decisions(feedback).filter(pl.col("category") != REPLACED, label="dsat")
    return dissatisfied.select("conversation_id", "reply_index", complaint="category")


def _one_by_one(offered: pl.DataFrame) -> pl.DataFrame:
    """One row per alternative, with its place among them as `nth`; `was_compared` is false where all were asked for."""
    n = pl.col("alternatives").list.len()
    return offered.with_columns(
        was_compared=pl.col("preferences").is_not_null(),
        preferences=pl.col("preferences").fill_null(pl.lit(None, pl.Float64).repeat_by(n)),
        nth=pl.int_ranges(0, n),
    ).explode("alternatives", "preferences", "nth")
