"""The stage augment: its tables, and metrics that count every reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages import augment
from tests.smoke.graph import build_tiny_params
from tests.source_tree import ROOT
from turnabout.augment import AUGMENTERS
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame
from turnabout.generation.scripted import ScriptedGenerator


def test_dvc_lists_the_table_of_every_augmenter() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert sorted(stages["augment"]["outs"]) == sorted(f"data/{name}.parquet" for name in AUGMENTERS)


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[..., pl.DataFrame],
    signal: Callable[..., dict[str, Any]],
) -> Callable[[ScriptedGenerator], dict[str, Any]]:
    """Run the stage on two dissatisfied people and return its metrics.

    One person is in the training split, one in the test split.
    """
    texts = "when does the shop open?", "the shop is a nice place", "that is not what I asked"
    conversations = pl.concat([messages(name, *texts, user=name) for name in ("seen", "held")])
    splits = [{"conversation_id": "seen", "split": "train"}, {"conversation_id": "held", "split": "test"}]
    write_frame(conversations, tmp_path / "messages.parquet", schemas.MESSAGES)
    write_frame(pl.DataFrame(splits, schema=schemas.SPLITS), tmp_path / "splits.parquet", schemas.SPLITS)
    feedback = pl.DataFrame([signal("seen", 1), signal("held", 1)], schema=schemas.FEEDBACK)
    write_frame(feedback, tmp_path / "feedback.parquet", schemas.FEEDBACK)
    (tmp_path / "params.yaml").write_text(json.dumps(build_tiny_params(tmp_path)))

    def run_with(generator: ScriptedGenerator) -> dict[str, Any]:
        monkeypatch.setattr(augment, "open_configured_model", lambda *_, **__: generator)
        inputs = {name: tmp_path / f"{name}.parquet" for name in ("messages", "splits", "feedback")}
        augment.main(
            **inputs,
            model=tmp_path,
            user=tmp_path,
            tables=tmp_path,
            metrics=tmp_path / "augment.json",
            params=tmp_path / "params.yaml",
        )
        return dict(json.loads((tmp_path / "augment.json").read_text()))

    return run_with


def test_augment_shows_no_test_conversation_to_the_model(
    run: Callable[[ScriptedGenerator], dict[str, Any]], tmp_path: Path
) -> None:
    generator = ScriptedGenerator(lambda _: " leaves out when the shop is open.")
    counts = run(generator)
    assert (counts["n_criticised"], counts["n_replies"]) == (1, 1)
    assert len(generator.prompts) == 2
    assert read_frame(tmp_path / "critiques.parquet", schemas.CRITIQUES)["conversation_id"].to_list() == ["seen"]


def test_augment_counts_reasons_and_leaves_unwritten_tables_empty(
    run: Callable[[ScriptedGenerator], dict[str, Any]], tmp_path: Path
) -> None:
    counts = run(ScriptedGenerator(lambda _: " fails."))
    dropped = {"n": 1, "kept": 0, "dropped_by_reason": {"too short": 1}}
    assert {name: counts[name] for name in ("critiques", "rationales")} == {"critiques": dropped, "rationales": dropped}
    assert counts["ratings"] == {"n": 0, "kept": 0, "dropped_by_reason": {}}
    assert read_frame(tmp_path / "ratings.parquet", schemas.RATINGS).height == 0
