"""What went in: from the records read to the splits, and why anything was left out."""

from typing import Any

import polars as pl

from turnabout.report.inputs import Inputs

SPLITS = {
    "train": "for learning",
    "validation": "for choices made along the way",
    "test": "for the results on this page",
    "excluded": "set aside: shares a person with another split",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """The funnel with each step's share of what was read, the reasons for every drop, and the warnings of the split."""
    return {
        "funnel": build_funnel(inputs),
        "rejected": count_quarantine(inputs.ingest_quarantine),
        "dropped": count_quarantine(inputs.clean_quarantine),
        "sources": inputs.metrics.get("ingest", {}).get("conversations_by_source", {}),
        "excluded": {why: n for why, n in inputs.metrics.get("split", {}).get("excluded_by_reason", {}).items() if n},
        "scrubbed": {kind: n for kind, n in inputs.metrics.get("clean", {}).get("scrubbed_by_kind", {}).items() if n},
        "warnings": inputs.metrics.get("split", {}).get("warnings", []),
    }


def build_funnel(inputs: Inputs) -> list[dict[str, Any]]:
    """One row per step: its name, its meaning, conversations, people (None where not counted), share of all read."""
    ingest, clean, split = (inputs.metrics.get(stage, {}) for stage in ("ingest", "clean", "split"))
    readable = ingest.get("n_conversations")
    read = None if readable is None else readable + ingest.get("n_rejected", 0)
    steps = [
        ("read", "records in the log", read, None),
        ("readable", "conversations between two sides", readable, None),
        ("kept", "after cleaning", clean.get("n_conversations"), inputs.splits["user_key"].n_unique()),
    ]
    counted, people = split.get("conversations_by_split", {}), split.get("users_by_split", {})
    steps += [(name, told, counted[name], people.get(name)) for name, told in SPLITS.items() if counted.get(name)]
    return [
        {"step": step, "told": told, "n": n, "people": n_people, "share": n / read if n and read else 0.0}
        for step, told, n, n_people in steps
    ]


def count_quarantine(quarantine: pl.DataFrame) -> list[dict[str, Any]]:
    """One row per kind of reason, most frequent first: how many records, and where the first of them is.

    Not what it says: a rejected record was never scrubbed.
    """
    return (
        quarantine.sort("record")
        .group_by(reason=pl.col("reason").str.split(": ").list.first(), maintain_order=True)
        .agg(n=pl.len(), first=pl.col("record").first())
        .sort("n", "reason", descending=[True, False])
        .to_dicts()
    )
