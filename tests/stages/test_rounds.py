"""Rounds of one method on the tiny model: the second builds its pairs with the first's assistant and trains on top."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages import build_pairs, train_assistant
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_json, write_frame
from turnabout.models.checkpoints import hash_folder, load_checkpoint

SHIPPED = ROOT / "params.yaml"
FIRST, SECOND = Path("models/assistants/drift"), Path("models/assistants/drift_2")


@pytest.fixture
def project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[..., pl.DataFrame],
    signal: Callable[..., dict[str, Any]],
) -> Path:
    """Three criticised replies in a project with two rounds of DRIFT, in float32 and small enough for a tiny model."""
    params = yaml.safe_load(SHIPPED.read_text())
    params["backbone"]["dtype"] = "float32"
    params["build_pairs"] |= {"max_prompt_tokens": 100, "max_new_tokens": 40}
    params["train_assistant"] |= {"gate_steps": 150, "gate_learning_rate": 1.0e-2, "lora_rank": 4, "max_length": 200}
    drift = params["arms"]["drift"]
    drift["train"] |= {"learning_rate": 3.0e-2, "epochs": 5}  # enough to change what is written
    params["arms"] = {
        name: {**drift, "policy": policy}
        for name, policy in {"drift": "backbone", "drift_2": "assistants/drift"}.items()
    }
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(params))
    names = ["a", "b", "c"]
    log = pl.concat([messages(name, f"open on day {name}?", "nice shop", "I asked when") for name in names])
    people = [{"conversation_id": name, "user_key": name, "split": "train"} for name in names]
    write_frame(log, Path("messages.parquet"), schemas.MESSAGES)
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), Path("splits.parquet"), schemas.SPLITS)
    feedback = pl.DataFrame([signal(name, 1) for name in names], schema=schemas.FEEDBACK)
    write_frame(feedback, Path("feedback.parquet"), schemas.FEEDBACK)
    write_frame(schemas.CRITIQUES.to_frame(), Path("data/critiques.parquet"), schemas.CRITIQUES)
    return tmp_path


def play(arm: str, policy: Path, backbone: Path, assistant: Path) -> pl.DataFrame:
    """One round: the pairs, which are returned, and an assistant trained on them."""
    pairs = Path(f"{arm}.parquet")
    build_pairs.main(
        arm,
        messages=Path("messages.parquet"),
        splits=Path("splits.parquet"),
        feedback=Path("feedback.parquet"),
        policy=policy,
        model=backbone,
        reads=Path("data/critiques.parquet"),
        pairs=pairs,
        metrics=Path("build_pairs.json"),
    )
    train_assistant.main(
        arm,
        pairs=pairs,
        policy=policy,
        assistant=assistant,
        metrics=Path("train.json"),
        curve=Path("curve.csv"),
    )
    return pl.read_parquet(pairs)


@pytest.mark.usefixtures("project")
def test_the_second_round_goes_on_from_the_first(stopping_checkpoint: Path) -> None:
    first = play("drift", stopping_checkpoint, stopping_checkpoint, FIRST)
    second = play("drift_2", FIRST, stopping_checkpoint, SECOND)
    assert first["rejected"].to_list() == second["rejected"].to_list() == ["nice shop"] * 3
    assert first["chosen"].to_list() != second["chosen"].to_list()  # written by another policy
    assert read_json(SECOND / "base.json") == {"base": FIRST.as_posix()}
    assert load_checkpoint(SECOND, "float32").name == "drift_2"
    assert len({hash_folder(folder) for folder in (stopping_checkpoint, FIRST, SECOND)}) == 3
