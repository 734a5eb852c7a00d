"""Section "Critiques and rationales": what a model wrote about replies."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.report.inputs import Inputs

#: Tables of `augment`, and what their texts are.
KINDS = {
    "critiques": "What was wrong",
    "rationales": "What would be better",
    "refinements": "The corrected reply",
    "hindsights": "The reply rewritten with knowledge of the follow-up",
    "preferences": "This person's preferences for replies",
    "ratings": "The quality of a text, aspect by aspect",
    "principles": "Rules that predict which replies people prefer",
    "scopes": "Where such a rule applies, and where it does not",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the yields, the result of the revisions, and examples.

    There is a yield for each table that has rows, and for each critic.
    """
    augment = inputs.metrics.get("augment", {})
    tables = {name: counts for name, counts in augment.items() if isinstance(counts, Mapping) and counts["n"]}
    return {
        "kinds": KINDS,
        "yields": {name: list_outcomes(counts) for name, counts in tables.items()},
        "critics": augment.get("critiques", {}).get("units", {}).get("by_critic", {}),
        "revisions": summarise_revisions(inputs.critiques),
        "examples": select_criticised_exchanges(inputs),
    }


def list_outcomes(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what became of a table's rows, with shares for bars.

    The kept rows come first, then one entry per reason for dropping, most frequent first.
    """
    dropped = sorted(counts["dropped_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    rows = [("kept", counts["kept"]), *((f"dropped: {reason}", n) for reason, n in dropped)]
    return [{"outcome": outcome, "n": n, "share": n / counts["n"]} for outcome, n in rows]


def summarise_revisions(critiques: pl.DataFrame) -> dict[str, Any] | None:
    """Return how many critiques were tested by revisions, and their gain.

    `helped` counts those with a positive gain, `mean` is the mean gain. Returns None if no critique was tested.
    """
    gains = critiques["gain"].drop_nulls()
    return {"n": len(gains), "helped": int((gains > 0).sum()), "mean": gains.mean()} if len(gains) else None


def select_criticised_exchanges(inputs: Inputs) -> list[dict[str, Any]]:
    """Return example exchanges, each with its critique and a rationale.

    Half of `examples` have a kept critique, half a dropped one. There is one reply per conversation while there are
    enough conversations. Of a reply's rationales, a kept one is taken if there is any.
    """
    rationales = inputs.rationales.sort("kept", *REPLY_KEY, "better", "kind", descending=[True, *[False] * 4])
    first = rationales.unique(REPLY_KEY, keep="first", maintain_order=True)
    critiques = inputs.critiques.join(first, on=REPLY_KEY, suffix="_rationale", how="left", maintain_order="left")
    chosen = pl.concat(
        critiques.filter(kept=kept)
        .sort(pl.int_range(pl.len()).over("conversation_id"), *REPLY_KEY)
        .head(max(1, inputs.examples // 2))
        for kept in (True, False)
    )
    messages = inputs.messages.join(chosen, on="conversation_id", how="semi")
    return chosen.join(build_exchanges(messages), on=REPLY_KEY, maintain_order="left").to_dicts()
