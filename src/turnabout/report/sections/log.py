"""Section "What went in": from the records read to the splits."""

from typing import Any

import polars as pl

from turnabout.report.inputs import Inputs
from turnabout.report.reasons import group_reasons

SPLITS = {
    "train": "for learning",
    "validation": "for choices made during training",
    "test": "for the results on this page",
    "excluded": "set aside: shares a person with another split",
}

#: Greatest number of reasons in a table; the rest is one row.
MAX_REASONS = 20


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the funnel, the reasons for every drop, and the warnings.

    The warnings are those of ingestion and of the split.
    """
    ingest, clean, split = (inputs.metrics.get(stage, {}) for stage in ("ingest", "clean", "split"))
    return {
        "funnel": build_funnel(inputs),
        "names_people": inputs.names_people,
        "files": ingest.get("files", []),
        "rejected": count_quarantine(inputs.ingest_quarantine),
        "dropped": count_quarantine(inputs.clean_quarantine),
        "sources": ingest.get("conversations_by_source", {}),
        "excluded": {reason: n for reason, n in split.get("excluded_by_reason", {}).items() if n},
        "scrubbed": {kind: n for kind, n in clean.get("scrubbed_by_kind", {}).items() if n},
        "warnings": [*ingest.get("warnings", []), *split.get("warnings", [])],
    }


def build_funnel(inputs: Inputs) -> list[dict[str, Any]]:
    """Return one row per step from the records read to the splits.

    A row has the step's name and meaning, its conversations and people (None where not counted or where the log names
    none), and its share of the records read.
    """
    ingest, clean, split = (inputs.metrics.get(stage, {}) for stage in ("ingest", "clean", "split"))
    n_readable = ingest.get("n_conversations")
    n_read = None if n_readable is None else n_readable + ingest.get("n_rejected", 0)
    steps = [
        ("read", "records in the log", n_read, None),
        ("readable", "conversations between two sides", n_readable, None),
        ("kept", "after cleaning", clean.get("n_conversations"), inputs.splits["user_key"].n_unique()),
    ]
    n_conversations, n_people = split.get("conversations_by_split", {}), split.get("users_by_split", {})
    for name, meaning in SPLITS.items():
        if n_conversations.get(name):
            steps.append((name, meaning, n_conversations[name], n_people.get(name)))
    return [
        {
            "step": step,
            "meaning": meaning,
            "n": n,
            "people": people if inputs.names_people else None,
            "share": n / n_read if n and n_read else 0.0,
        }
        for step, meaning, n, people in steps
    ]


def count_quarantine(quarantine: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row per group of reasons, most frequent first.

    A row has the number of records, and the location and the source of the first of them. The records themselves are
    not shown, because a rejected record was never scrubbed. Reasons beyond the `MAX_REASONS` most frequent are one row,
    the last.
    """
    groups = group_reasons(quarantine["reason"].unique())
    rows = (
        quarantine.sort("record")
        .group_by(reason=pl.col("reason").replace(groups), maintain_order=True)
        .agg(n=pl.len(), first=pl.col("record").first(), source=pl.col("source").first())
        .sort("n", "reason", descending=[True, False])
        .to_dicts()
    )
    rare = sorted(rows[MAX_REASONS:], key=lambda row: row["first"])
    if rare:
        n = sum(row["n"] for row in rare)
        rows[MAX_REASONS:] = [{**rare[0], "reason": f"{len(rare)} rarer reasons", "n": n}]
    return rows
