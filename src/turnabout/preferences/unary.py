"""Unary preferences: every judged reply by itself, liked or disliked, for losses that need no pair (KTO)."""

from typing import ClassVar, Literal

import polars as pl

from turnabout.feedback.judged_replies import judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import FromLogs, checked


class Unary(FromLogs):
    """One row per judged reply: a satisfying one is `chosen` with `rejected` null, a dissatisfying one the reverse.

    The weight is the confidence times what balances the labels: in each split, liked and disliked replies count for as
    much (λ_D·n_D = λ_U·n_U, Ethayarajh et al. 2024, arXiv 2402.01306, section 4.2), and the mean of these factors is 1.
    """

    rule: Literal["unary"] = "unary"
    makes: ClassVar[Literal["pairs", "unary"]] = "unary"
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that are dislike, too."""

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Of a side that is missing, the score is missing, too."""
        judged = judged_replies(messages, splits, feedback, self.weak)
        liked = pl.col("label") == "sat"
        is_empty = pl.col("reply").str.strip_chars() == ""
        usable = judged.filter(~is_empty)
        balance = (
            usable.group_by("split", "label")
            .agg(factor=pl.len())
            .with_columns(factor=pl.col("factor").sum().over("split") / pl.len().over("split") / pl.col("factor"))
        )
        rows = judged.join(balance, on=["split", "label"], how="left", maintain_order="left").with_columns(
            chosen=pl.when(liked).then("reply"),
            rejected=pl.when(~liked).then("reply"),
            r_chosen=pl.when(liked).then("score"),
            r_rejected=pl.when(~liked).then("score"),
            weight=pl.col("confidence") * pl.col("factor").fill_null(1.0),
            evidence="follow_up",
        )
        return checked(self.rule, rows)
