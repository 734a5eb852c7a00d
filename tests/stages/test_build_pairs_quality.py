"""build_pairs on pairs from the logs: measures of the policy are written."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages import build_pairs
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame

MEASURED = {"ches": {"drop_top": 0}, "difficulty": {"drop_top": 0.5}, "strength": {"heads": 2}}


@pytest.fixture
def edited(messages: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """Three conversations of one person, whose replies somebody edited."""
    talks = [messages(name, "open when?", f"nice shop {name}", "thanks") for name in "abc"]
    is_reply = pl.col("role") == "assistant"
    return pl.concat(talks).with_columns(edited_text=pl.when(is_reply).then(pl.lit("it opens at nine")))


def test_measures_and_reasons_of_an_arm_are_in_pairs_and_metrics(
    tmp_path: Path, tiny_checkpoint: Path, edited: pl.DataFrame
) -> None:
    arm = {"policy": "backbone", "reads": "data/feedback.parquet", "pairs": {"rule": "edits"}}
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["arms"] = {"edits": arm | {"train": params["arms"]["drift"]["train"]}}
    params["build_pairs"]["quality"] |= MEASURED | {"max_per_person": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    splits = pl.DataFrame([{"conversation_id": c, "user_key": "ann", "split": "train"} for c in "abc"])
    write_frame(edited, tmp_path / "messages.parquet", schemas.MESSAGES)
    write_frame(splits, tmp_path / "splits.parquet", schemas.SPLITS)
    write_frame(schemas.FEEDBACK.to_frame(), tmp_path / "feedback.parquet", schemas.FEEDBACK)
    build_pairs.main(
        "edits",
        **{name: tmp_path / f"{name}.parquet" for name in ("messages", "splits", "feedback")},
        policy=tiny_checkpoint,
        model=tiny_checkpoint,
        reads=Path("data/feedback.parquet"),
        pairs=tmp_path / "pairs.parquet",
        metrics=tmp_path / "metrics.json",
        params=tmp_path / "params.yaml",
    )
    pairs, summary = read_frame(tmp_path / "pairs.parquet", schemas.PAIRS), read_json(tmp_path / "metrics.json")
    assert pairs.select("ches", "difficulty").null_count().row(0) == (0, 0)
    assert summary["dropped_by_reason"] == {"too difficult": 1}
    assert summary["strength"]["reason"].startswith("3 training pairs of 1 people")
    assert summary["people"]["agreement"]["value"] == 1.0  # the edits themselves
    assert summary["difficulty"]["n"] == 2
