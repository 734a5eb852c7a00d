"""Stage: messages in, one split for each conversation out, by person."""

import sys
from pathlib import Path

import polars as pl

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_batches, write_frame, write_json
from turnabout.core.splitting import COLUMNS, assign, conversations, empty_split_warnings, refuse_leaks
from turnabout.params import load_params


def main(messages: Path, splits: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Split as the section `split` says; an empty split is reported, on stderr and in the metrics, not an error."""
    settings = load_params(params)
    talks = pl.concat([conversations(batch) for batch in read_batches(messages, COLUMNS)])
    assigned, excluded = assign(talks, settings.split, settings.seed)
    refuse_leaks(talks, assigned)
    warned = empty_split_warnings(assigned)
    for warning in warned:
        print(f"warning: {warning}", file=sys.stderr)
    write_frame(assigned, splits, schemas.SPLITS)
    by_split = assigned.group_by("split").agg(conversations=pl.len(), users=pl.col("user_key").n_unique()).sort("split")
    write_json(
        {
            "conversations_by_split": dict(by_split.select("split", "conversations").iter_rows()),
            "users_by_split": dict(by_split.select("split", "users").iter_rows()),
            "excluded_by_reason": excluded,
            "warnings": warned,
        },
        metrics,
    )


if __name__ == "__main__":
    command(main)
