"""Stage: conversations and intents in, flipped training samples for the user model out."""

from pathlib import Path

import polars as pl

from stages._command import command
from turnabout import schemas
from turnabout.flipping import flip
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, intents: Path, samples: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    flipped = flip(
        read_frame(messages, schemas.MESSAGES),
        read_frame(splits, schemas.SPLITS),
        read_frame(intents, schemas.INTENTS),
        load_params(params).flip.mirror,
    )
    write_frame(flipped, samples, schemas.USER_SAMPLES)
    write_json(
        {
            "n_samples": flipped.height,
            "samples_by_split": dict(flipped.group_by("split").len().sort("split").iter_rows()),
            "n_ends": flipped["ends"].sum(),
            "n_targets": flipped.select(pl.col("target_indexes").list.len().sum()).item(),
        },
        metrics,
    )


if __name__ == "__main__":
    command(main)
