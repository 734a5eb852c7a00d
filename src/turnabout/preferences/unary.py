"""Unary preferences: every judged reply alone, liked or disliked.

Losses that need no pair, such as KTO, learn from them.
"""

from typing import ClassVar, Literal

import polars as pl

from turnabout.feedback.judged_replies import select_judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import LogRule, complete_pairs


class Unary(LogRule):
    """One row per judged reply.

    A satisfying reply is `chosen` and `rejected` is null; for a dissatisfying one it is the reverse. The weight is the
    confidence times a factor that balances the labels: in each split, liked and disliked replies have the same total
    factor (λ_D·n_D = λ_U·n_U, Ethayarajh et al. 2024, arXiv 2402.01306, section 4.2), and the mean factor is 1.
    """

    rule: Literal["unary"] = "unary"
    makes: ClassVar[Literal["pairs", "unary"]] = "unary"
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that count as dislike, too."""

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one row per judged reply; the missing side's score is null."""
        judged = select_judged_replies(messages, splits, feedback, self.weak)
        is_liked = pl.col("label") == "sat"
        is_empty = pl.col("reply").str.strip_chars() == ""
        balance = (
            judged.filter(~is_empty)
            .group_by("split", "label")
            .agg(factor=pl.len())
            .with_columns(factor=pl.col("factor").sum().over("split") / pl.len().over("split") / pl.col("factor"))
        )
        rows = judged.join(balance, on=["split", "label"], how="left", maintain_order="left").with_columns(
            chosen=pl.when(is_liked).then("reply"),
            rejected=pl.when(~is_liked).then("reply"),
            r_chosen=pl.when(is_liked).then("score"),
            r_rejected=pl.when(~is_liked).then("score"),
            weight=pl.col("confidence") * pl.col("factor").fill_null(1.0),
            evidence="follow_up",
        )
        return complete_pairs(self.rule, rows)
