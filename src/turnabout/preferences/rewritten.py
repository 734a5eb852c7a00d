"""Pairs of a reply and its rewrite: shared by `refined` and `hindsight`."""

from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import select_criticised_replies
from turnabout.feedback.signals import WEAK
from turnabout.preferences.base import (
    NEAR_IDENTICAL,
    RuleContext,
    copy_source_columns,
    find_drop_reason,
    fit_prompts,
    to_pairs_frame,
)

#: Similarity (0–100) from which a rewrite counts as the same reply, by method, where it is not `NEAR_IDENTICAL`: tree
#: search looks for the smallest edit that helps.
THRESHOLDS = {"spar": 100.0}


def join_rewrites(context: RuleContext) -> pl.DataFrame:
    """Return the arm's table joined to its criticised replies, sorted.

    The replies have the columns of `judged_replies.CRITICISED_REPLIES`. Every weak category is accepted, because
    `augment.weak` has already decided which replies are in the table.
    """
    criticised = select_criticised_replies(context.messages, context.splits, context.feedback, WEAK)
    return criticised.join(context.extra_input, on=REPLY_KEY, maintain_order="left")


def build_rewritten_pairs(
    rule: str, context: RuleContext, text_column: str, rationale: str | None = None
) -> pl.DataFrame:
    """Build one pair per reply of the arm's table.

    The table's column `text_column` is chosen, the criticised reply rejected; the column `rationale` becomes the pair's
    rationale. Both sides' measure is the table's: how sure its model is that they meet the complaint. A rewrite that
    failed the augmenter's checks is a dropped pair with that reason.
    """
    rows = join_rewrites(context)
    prompts = fit_prompts(rows["prompt"], context.chat, context.max_prompt_tokens)
    pairs = [
        _build_pair(row, prompt, text_column, rationale) for row, prompt in zip(rows.to_dicts(), prompts, strict=True)
    ]
    return to_pairs_frame(rule, pairs)


def _build_pair(row: dict[str, Any], prompt: list[Message], text_column: str, rationale: str | None) -> dict[str, Any]:
    """Return one rewritten reply as columns of `schemas.PAIRS`."""
    chosen, score_before, score = row[text_column] or "", row["score_before"], row["score"]
    threshold = THRESHOLDS.get(row.get("method", ""), NEAR_IDENTICAL)
    return {
        **copy_source_columns(row),
        "prompt": prompt,
        "chosen": chosen,
        "rejected": row["reply"],
        "r_chosen": score,
        "r_rejected": score_before,
        "margin": None if score is None or score_before is None else score - score_before,
        "weight": row["confidence"],
        "rationale": row[rationale] if rationale else None,
        "evidence": row["follow_up"],
        "reason": row["reason"] or find_drop_reason(chosen, row["reply"], threshold),
    }
