"""Pairs of a criticised reply and its rewriting by an augmenter: the shape of `refined` and `hindsight`."""

from typing import Any

import polars as pl

from turnabout.feedback.judged_replies import criticised_replies
from turnabout.feedback.signals import WEAK
from turnabout.preferences.base import NEAR_IDENTICAL, Material, as_pairs, fault, fitted

#: From this similarity on (0–100) a rewriting says the same: tree search looks for the smallest edit that helps.
ALIKE = {"spar": 100.0}


def augmented(material: Material) -> pl.DataFrame:
    """Criticised replies (`criticised.CRITICISED`) with what the arm's table says of each, sorted.

    Those the augmenter worked on and no others: which weak signs count was `augment.weak`'s to say.
    """
    criticised = criticised_replies(material.messages, material.splits, material.feedback, WEAK)
    return criticised.join(material.reads, on=["conversation_id", "reply_index"], maintain_order="left")


def rewritten_pairs(rule: str, material: Material, text: str, rationale: str | None = None) -> pl.DataFrame:
    """One pair per reply of the arm's table: its column `text` is chosen, the criticised reply rejected.

    Both sides' measure is the table's: how sure its author is that they meet the complaint. A rewriting that failed the
    augmenter's checks is a dropped pair with that reason.
    """
    rows = augmented(material)
    prompts = fitted(rows["prompt"], material.chat, material.max_prompt_tokens)
    return as_pairs(
        rule,
        [pair(row, prompt, text, rationale) for row, prompt in zip(rows.to_dicts(), prompts, strict=True)],
    )


def pair(row: dict[str, Any], prompt: list[Any], text: str, rationale: str | None) -> dict[str, Any]:
    """One rewritten reply as columns of `PAIRS`."""
    chosen, before, after = row[text] or "", row["score_before"], row["score"]
    return {
        **{key: row[key] for key in ("conversation_id", "reply_index", "user_key", "split")},
        "prompt": prompt,
        "chosen": chosen,
        "rejected": row["reply"],
        "r_chosen": after,
        "r_rejected": before,
        "margin": None if after is None or before is None else after - before,
        "weight": row["confidence"],
        "rationale": row[rationale] if rationale else None,
        "evidence": row["follow_up"],
        "reason": row["reason"] or fault(chosen, row["reply"], ALIKE.get(row.get("method", ""), NEAR_IDENTICAL)),
    }
