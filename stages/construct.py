"""Stage: logs, feedback and a policy in, one arm of preference pairs out."""

from pathlib import Path
from typing import Any

import polars as pl

from stages._command import command
from stages._models import open_generator
from turnabout import backbones, schemas
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params
from turnabout.preferences import Material


def main(
    arm: str,
    messages: Path,
    splits: Path,
    feedback: Path,
    policy: Path,
    reads: Path,
    pairs: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    loaded = load_params(params)
    settings, dtype = loaded.construct, loaded.backbone.dtype
    writer = open_generator(policy, dtype, "assistant", settings.batch_size)
    material = Material(
        read_frame(messages, schemas.MESSAGES),
        read_frame(splits, schemas.SPLITS),
        read_frame(feedback, schemas.FEEDBACK),
        read_frame(reads, schemas.CRITIQUES) if reads.suffix == ".parquet" else backbones.load(reads, dtype),
        writer,
        writer.checkpoint.chat,
        settings.max_prompt_tokens,
        settings.max_new_tokens,
        settings.batch_size,
        loaded.seed,
    )
    built = loaded.arm(arm).construct.pairs(material)
    write_frame(built, pairs, schemas.PAIRS)
    write_json(counts(built), metrics)


def counts(built: pl.DataFrame) -> dict[str, Any]:
    """Yield of one arm: pairs built, kept by split, dropped by reason, mean margin and lengths of what is kept."""
    kept = built.filter("keep")
    lengths = kept.select(pl.col("chosen", "rejected").str.len_chars().mean())
    return {
        "n_pairs": built.height,
        "n_kept": kept.height,
        "kept_by_split": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "dropped_by_reason": dict(built.drop_nulls("reason").group_by("reason").len().sort("reason").iter_rows()),
        "mean_margin": kept["margin"].mean(),
        "mean_chosen_characters": lengths["chosen"].item(),
        "mean_rejected_characters": lengths["rejected"].item(),
    }


if __name__ == "__main__":
    command(main)
