"""Shared code of rules whose pairs have both sides in the log.

These rules call no model.
"""

from abc import abstractmethod
from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import add_histories, build_exchanges, drop_test_split
from turnabout.preferences.base import Rule, RuleContext, find_drop_reason, fit_prompts, to_pairs_frame


class LogRule(Rule):
    """A rule that needs nothing but messages, splits and feedback."""

    @abstractmethod
    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return all candidates (`schemas.PAIRS`) with whole histories as prompts.

        They are sorted by `pair_id`.
        """

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        """Return the candidate pairs with prompts that fit the limit."""
        candidates = self.find_pairs(context.messages, context.splits, context.feedback)
        return candidates.with_columns(
            pl.Series(name, _fit_known_prompts(candidates[name], context), dtype=schemas.PAIRS[name])
            for name in ("prompt", "rejected_prompt")
        )


def select_replies(messages: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Return every logged reply of train and validation, with its `split`.

    The other columns are those of `conversations.EXCHANGES`.
    """
    people = drop_test_split(splits).select("conversation_id", "split", "user_key")
    return build_exchanges(messages).drop("user_key").join(people, on="conversation_id", maintain_order="left")


def add_prompts(messages: pl.DataFrame, replies: pl.DataFrame) -> pl.DataFrame:
    """Return the replies with the history before each as `prompt`.

    A reply that begins its conversation has no history and is left out.
    """
    return add_histories(messages, replies.with_columns(before="reply_index")).drop("before").drop_nulls("prompt")


def complete_pairs(rule: str, candidates: pl.DataFrame) -> pl.DataFrame:
    """Return candidates, with any columns of `schemas.PAIRS`, as such a frame.

    A candidate without a `reason` gets the one of `find_drop_reason`, if any.
    """
    known = candidates.select(name for name in candidates.columns if name in schemas.PAIRS)
    rows = [{**row, "reason": row.get("reason") or _find_row_reason(row)} for row in known.iter_rows(named=True)]
    return to_pairs_frame(rule, rows)


def _find_row_reason(row: dict[str, Any]) -> str | None:
    """Return the drop reason of a pair, or of a row with one side."""
    sides = [side for side in (row["chosen"], row["rejected"]) if side is not None]
    if len(sides) == 1:
        return None if sides[0].strip() else "empty"
    return find_drop_reason(*sides)


def _fit_known_prompts(prompts: pl.Series, context: RuleContext) -> list[Any]:
    """Cut each prompt to its newest messages; null stays null."""
    known = iter(fit_prompts(prompts.drop_nulls(), context.chat, context.max_prompt_tokens))
    return [None if prompt is None else next(known) for prompt in prompts.to_list()]
