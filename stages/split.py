"""Stage: assign each conversation to a split, by person."""

from pathlib import Path

import polars as pl

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_batches, write_frame, write_json
from turnabout.core.splitting import (
    SPLIT_COLUMNS,
    assign_splits,
    count_unnamed,
    describe_empty_splits,
    describe_unnamed,
    refuse_leaks,
    summarize_conversations,
)
from turnabout.core.stage_output import print_warning
from turnabout.params import load_params


def main(messages: Path, splits: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Split the conversations by the section `split`.

    An empty split and a log without people are no errors: a warning goes to stderr and to the metrics.
    """
    settings = load_params(params)
    conversations = pl.concat([summarize_conversations(batch) for batch in read_batches(messages, SPLIT_COLUMNS)])
    assigned, excluded = assign_splits(conversations, settings.split, settings.seed)
    refuse_leaks(conversations, assigned)
    n_unnamed = count_unnamed(conversations)
    split_warnings = describe_unnamed(n_unnamed, conversations.height) + describe_empty_splits(assigned)
    for warning in split_warnings:
        print_warning(warning)
    write_frame(assigned, splits, schemas.SPLITS)
    by_split = assigned.group_by("split").agg(conversations=pl.len(), users=pl.col("user_key").n_unique()).sort("split")
    write_json(
        {
            "conversations_by_split": dict(by_split.select("split", "conversations").iter_rows()),
            "users_by_split": dict(by_split.select("split", "users").iter_rows()),
            "excluded_by_reason": excluded,
            "names_people": n_unnamed < conversations.height,
            "warnings": split_warnings,
        },
        metrics,
    )


if __name__ == "__main__":
    command(main)
