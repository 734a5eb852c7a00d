"""Stage: messages as logged in; messages out that are scrubbed, said once, and of nobody too often."""

from pathlib import Path

import polars as pl

from stages._command import command
from turnabout import schemas
from turnabout.cleaning import clean
from turnabout.errors import DataError
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params


def main(ingested: Path, messages: Path, quarantine: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Clean as the section `clean` says; `DataError` where nothing is left."""
    before = read_frame(ingested, schemas.MESSAGES)
    cleaned = clean(before, load_params(params).clean)
    kind = pl.col("reason").str.split(": ").list.first()
    dropped = dict(cleaned.quarantine.group_by(kind).len().sort("reason").iter_rows())
    if cleaned.messages.is_empty():
        raise DataError(f"nothing is left of {before.height} messages: {dropped}; relax the section clean or add logs")
    write_frame(cleaned.messages, messages, schemas.MESSAGES)
    write_frame(cleaned.quarantine, quarantine, schemas.QUARANTINE)
    write_json(
        {
            "n_conversations_in": before["conversation_id"].n_unique(),
            "n_conversations": cleaned.messages["conversation_id"].n_unique(),
            "n_messages_in": before.height,
            "n_messages": cleaned.messages.height,
            "dropped_by_reason": dropped,
            "scrubbed_by_kind": cleaned.n_scrubbed,
        },
        metrics,
    )


if __name__ == "__main__":
    command(main)
