"""What a model wrote about replies: what was kept of each kind, what was not and why, with examples of both."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.report.inputs import Inputs

#: Table → what stands in it.
KINDS = {
    "critiques": "What was wrong",
    "rationales": "What would be better",
    "refinements": "The reply put right",
    "hindsights": "The reply as it should have been, known afterwards",
    "preferences": "What this person wants of replies",
    "ratings": "How good a text is, aspect by aspect",
    "principles": "Rules that tell which replies people prefer",
    "scopes": "Where such a rule applies, and where not",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """The yield of every table that has rows, that of the critics, what trying critiques showed, and examples."""
    told = inputs.metrics.get("augment", {})
    tables = {name: counts for name, counts in told.items() if isinstance(counts, Mapping) and counts["n"]}
    return {
        "kinds": KINDS,
        "yields": {name: list_outcomes(counts) for name, counts in tables.items()},
        "critics": told.get("critiques", {}).get("units", {}).get("by_critic", {}),
        "tried": summarise_revisions(inputs.critiques),
        "examples": select_criticised_exchanges(inputs),
    }


def list_outcomes(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What became of a table's rows, as bars: kept ones first, then one row per reason, most frequent first."""
    dropped = sorted(counts["dropped_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    rows = [("kept", counts["kept"]), *((f"dropped: {reason}", n) for reason, n in dropped)]
    return [{"fate": fate, "n": n, "share": n / counts["n"]} for fate, n in rows]


def summarise_revisions(critiques: pl.DataFrame) -> dict[str, Any] | None:
    """How many critiques were tried by revision, how many of them helped, and the mean gain; None where none was."""
    gains = critiques["gain"].drop_nulls()
    return {"n": len(gains), "helped": int((gains > 0).sum()), "mean": gains.mean()} if len(gains) else None


def select_criticised_exchanges(inputs: Inputs) -> list[dict[str, Any]]:
    """Exchanges with their critique and a rationale: half of `examples` with a kept critique, half without.

    Of one conversation, as far as there are enough others, one reply only; of its rationales a kept one, if any is.
    """
    rationales = inputs.rationales.sort("kept", *REPLY_KEY, "better", "kind", descending=[True, *[False] * 4])
    first = rationales.unique(REPLY_KEY, keep="first", maintain_order=True)
    written = inputs.critiques.join(first, on=REPLY_KEY, suffix="_rationale", how="left", maintain_order="left")
    chosen = pl.concat(
        written.filter(kept=kept)
        .sort(pl.int_range(pl.len()).over("conversation_id"), *REPLY_KEY)
        .head(max(1, inputs.examples // 2))
        for kept in (True, False)
    )
    talk = inputs.messages.join(chosen, on="conversation_id", how="semi")
    return chosen.join(build_exchanges(talk), on=REPLY_KEY, maintain_order="left").to_dicts()
