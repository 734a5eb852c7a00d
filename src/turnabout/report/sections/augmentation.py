"""Critiques and rationales: what a model wrote about criticised replies, what was kept of it and what was not."""

from typing import Any

import polars as pl

from turnabout.conversations import exchanges
from turnabout.report.inputs import Inputs

#: Table → (its heading, the column that holds the words).
KINDS = {"critiques": ("What was wrong", "flaw"), "rationales": ("What would be better", "rationale")}


def context(inputs: Inputs) -> dict[str, Any]:
    """The yield of both tables and, for replies that have both, what was written about them."""
    tables = {"critiques": inputs.critiques, "rationales": inputs.rationales}
    return {
        "kinds": KINDS,
        "yields": {kind: yielded(table) for kind, table in tables.items()},
        "examples": examples(inputs),
    }


def yielded(table: pl.DataFrame) -> dict[str, Any]:
    """How many were written, how many kept, and how many went for each reason."""
    reasons = table.filter(~pl.col("kept")).group_by("reason").len().sort("len", "reason", descending=[True, False])
    return {"n": table.height, "kept": table["kept"].sum(), "reasons": dict(reasons.iter_rows())}


def examples(inputs: Inputs) -> list[dict[str, Any]]:
    """Exchanges with their critique and rationale: half of `examples` with a kept critique, half without.

    Of one conversation, as far as there are enough others, one reply only.
    """
    written = inputs.critiques.join(
        inputs.rationales, on=["conversation_id", "reply_index"], suffix="_rationale", how="left"
    )
    chosen = pl.concat(
        written.filter(kept=kept)
        .sort(pl.int_range(pl.len()).over("conversation_id"), "conversation_id", "reply_index")
        .head(max(1, inputs.examples // 2))
        for kept in (True, False)
    )
    talk = inputs.messages.join(chosen, on="conversation_id", how="semi")
    return chosen.join(exchanges(talk), on=["conversation_id", "reply_index"], maintain_order="left").to_dicts()
