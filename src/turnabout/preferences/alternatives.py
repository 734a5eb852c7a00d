"""Alternatives: the preferred one of several replies to a message."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.signals import RECORDED_CONFIDENCE, REPLACED, select_decisions
from turnabout.preferences.from_logs import LogRule, add_prompts, complete_pairs, select_replies


class Alternatives(LogRule):
    """One pair per alternative of a logged reply.

    Alternatives are not compared with each other. Where people compared (ranks, votes side by side, ratings of both:
    `preferences` of `schemas.MESSAGES`), the preferred side is chosen and `margin` is the strength of the preference.
    Where they asked for another reply instead, the reply that they continued from is chosen.
    """

    rule: Literal["alternatives"] = "alternatives"
    min_margin: float = Field(default=0.0, ge=0)
    """Weaker preferences, on the log's scale of 0 to 1, are dropped: scores given with a slider are noisy."""

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one candidate per alternative.

        A regeneration is kept only if the person continued from the new reply without complaining about it.
        """
        replies = select_replies(messages, splits).filter(pl.col("alternatives").list.len() > 0)
        with_complaints = add_prompts(messages, replies).join(
            _select_complaints(feedback), on=REPLY_KEY, how="left", maintain_order="left"
        )
        preference = pl.col("preferences")
        prefers_alternative = preference < 0
        strength = preference.abs()
        is_regeneration = ~pl.col("was_compared")
        reason = (
            pl.when(is_regeneration & pl.col("follow_up").is_null())
            .then(pl.lit("nobody went on"))
            .when(is_regeneration & pl.col("complaint").is_not_null())
            .then(pl.lit("complaint about the new reply"))
            .when(~is_regeneration & preference.is_null())
            .then(pl.lit("not compared"))
            .when(preference == 0)
            .then(pl.lit("tie"))
            .when(strength < self.min_margin)
            .then(pl.lit("small margin"))
        )
        recorded = pl.format("[preferred by {}]", strength.round(2))
        candidates = _explode_alternatives(with_complaints).with_columns(
            pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}", *REPLY_KEY, "alternative_index"),
            chosen=pl.when(prefers_alternative).then("alternatives").otherwise("reply"),
            rejected=pl.when(prefers_alternative).then("reply").otherwise("alternatives"),
            margin=strength,
            weight=pl.when(is_regeneration)
            .then(RECORDED_CONFIDENCE[REPLACED])
            .otherwise(RECORDED_CONFIDENCE["preference"]),
            reason=reason,
            evidence=pl.when(is_regeneration).then("follow_up").otherwise(recorded),
        )
        return complete_pairs(self.rule, candidates)


def _select_complaints(feedback: pl.DataFrame) -> pl.DataFrame:
    """Return replies that drew dissatisfaction; `complaint` is its category.

    A request for another reply does not count.
    """
    dissatisfied = select_decisions(feedback).filter(pl.col("category") != REPLACED, label="dsat")
    return dissatisfied.select(*REPLY_KEY, complaint="category")


def _explode_alternatives(replies: pl.DataFrame) -> pl.DataFrame:
    """Return one row per alternative, numbered by `alternative_index`.

    `was_compared` is false if every alternative was requested instead of compared.
    """
    n = pl.col("alternatives").list.len()
    return replies.with_columns(
        was_compared=pl.col("preferences").is_not_null(),
        preferences=pl.col("preferences").fill_null(pl.lit(None, pl.Float64).repeat_by(n)),
        alternative_index=pl.int_ranges(0, n),
    ).explode("alternatives", "preferences", "alternative_index")
