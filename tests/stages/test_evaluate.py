"""The stage on tiny models: figures, repeatable bytes, no test people."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from stages.evaluate import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.schemas import ANSWERS
from turnabout.models.checkpoints import load_checkpoint
from turnabout.training.reward_model import RewardHead, save_head
from turnabout.training.user_model.train import add_end_token, save_user

ARMS = ("drift", "follow_up")


def samples(splits: list[str]) -> pl.DataFrame:
    talk = [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(4)]
    row: dict[str, Any] = {"messages": talk, "target_indexes": [0, 2], "ends": True, "intent": "You are a user. Ask."}
    return pl.DataFrame(
        [{"conversation_id": f"c{i}", "user_key": f"u{i}", "split": split, **row} for i, split in enumerate(splits)],
        schema=schemas.USER_SAMPLES,
    )


def pairs() -> pl.DataFrame:
    known = {"keep": True, "split": "validation", "prompt": [{"role": "user", "content": "hi"}]}
    texts = [("a", "hello there", "no"), ("b", "yes", "what do you want")]
    return pl.DataFrame(
        [
            dict.fromkeys(schemas.PAIRS)
            | known
            | {"pair_id": name, "conversation_id": name, "user_key": name, "chosen": chosen, "rejected": rejected}
            for name, chosen, rejected in texts
        ],
        schema=schemas.PAIRS,
    )


@pytest.fixture
def project(tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with all inputs of the stage except the samples."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["backbone"]["dtype"] = "float32"
    params["evaluate"] |= {
        "contexts": 2,
        "max_length": 200,
        "ending_length": 200,
        "max_new_tokens": 4,
        "batch_size": 3,
        "resamples": 20,
    }
    params["evaluate"] |= {"items": 3, "detector": 8}
    params["arms"] = {arm: params["arms"][arm] for arm in ARMS}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copytree(tiny_checkpoint, "backbone")
    user = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    torch.manual_seed(1)
    with torch.no_grad():
        weight: Any = user.model.get_input_embeddings().weight
        weight += 0.01 * torch.randn(len(user.tokenizer), 32)
    save_user(user, Path("user"))
    for folder in ("pairs", "rollouts"):
        (tmp_path / folder).mkdir()
    schemas.ROLLOUTS.to_frame().write_parquet("rollouts/untrained.parquet")
    for arm, weight in zip(ARMS, (np.ones, np.zeros), strict=True):
        shutil.copytree(tiny_checkpoint, f"assistants/{arm}")
        save_head(RewardHead(weight(32, np.float32), 200), Path("rewards") / arm)
        pairs().write_parquet(f"pairs/{arm}.parquet")
        schemas.ROLLOUTS.to_frame().write_parquet(f"rollouts/{arm}.parquet")
    return tmp_path


def run(out: str, table: pl.DataFrame) -> Path:
    """Run the stage on these samples and return its output folder."""
    table.write_parquet("samples.parquet")
    folder = Path(out)
    main(
        samples=Path("samples.parquet"),
        backbone=Path("backbone"),
        user=Path("user"),
        assistants=Path("assistants"),
        rewards=Path("rewards"),
        pairs=Path("pairs"),
        rollouts=Path("rollouts"),
        user_metrics=folder / "user.json",
        assistant_metrics=folder / "assistants.json",
        by_turn=folder / "by_turn.csv",
        answers=folder / "answers.parquet",
    )
    return folder


def estimates(tree: Any) -> list[dict[str, Any]]:
    """Return all figures of a metrics file, at any depth."""
    if not isinstance(tree, dict):
        return []
    if "value" in tree:
        return [tree]
    figures = []
    for child in tree.values():
        figures += estimates(child)
    return figures


def test_stage_writes_all_figures_and_the_same_bytes_twice(project: Path) -> None:
    table = samples(["test", "test", "test", "validation", "validation", *["train"] * 8])
    first, second = run("first", table), run("second", table)
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name
    user = json.loads((first / "user.json").read_text())
    assert (user["n_conversations"], user["n_users"], user["warnings"]) == (3, 3, [])
    for measure in ("perplexity", "bits_per_character"):
        for model in ("trained", "untrained", "prompted"):
            for intent in ("with_intent", "without_intent"):
                figure = user[measure][model][intent]
                assert figure["low"] <= figure["value"] <= figure["high"]
                assert figure["n"] == 6  # three conversations of two user messages
    for measure in ("first_turn_diversity", "intent_overlap"):
        assert {writer: figure["n"] for writer, figure in user[measure].items()} == {
            "human": 2,
            "trained": 2,
            "prompted": 2,
        }
    assert set(user["termination"]) == {"trained", "prompted"}
    assert 0 < user["termination"]["trained"]["threshold"] < 1
    detector = user["naturalness"].pop("detector")
    assert (len(detector["fingerprint"]), detector["n"]) == (16, 16)
    assert {writer: figure["n"] for writer, figure in user["naturalness"].items()} == {
        "human": 2,
        "trained": 2,
        "prompted": 2,
    }
    for measure in ("role_adherence", "intent_adherence"):
        assert [user[measure][player]["n"] for player in ("trained", "prompted")] == [3, 3]
    assert (user["intent_adherence"]["judge"], user["intent_adherence"]["unjudged"]["trained"]) == ("words", 0)
    bits = {model: user["bits_per_character"][model]["with_intent"]["value"] for model in ("trained", "untrained")}
    saved = user["bits_per_character_saved"]["with_intent"]["value"]
    assert saved == pytest.approx(bits["untrained"] - bits["trained"])
    assert abs(saved) > 1e-4
    plot = pl.read_csv(first / "by_turn.csv")
    assert plot.columns == ["model", "intent", "turn", "bits_per_character", "low", "high", "n"]
    assert plot.height == 12  # three models, two intents, two turns

    assistants = json.loads((first / "assistants.json").read_text())
    assert list(assistants) == ["untrained", *ARMS, "simulated"]
    assert "versus_untrained" not in assistants["untrained"]
    # The arms have the backbone's weights: the same answers, and a difference of 0.
    gain = assistants["drift"]["versus_untrained"]["follow_up_likelihood"]
    assert (gain["value"], gain["low"], gain["high"], gain["n"]) == (0, 0, 0, 2)
    assert assistants["untrained"]["reward"]["drift"]["value"] is not None
    assert "too few pairs" in assistants["untrained"]["reward"]["follow_up"]["reason"]
    assert {figure["n"] for figure in estimates(assistants["drift"]["ranking_accuracy"])} == {2}
    written = pl.read_parquet(first / "answers.parquet")
    assert (written.schema, written.height) == (ANSWERS, 6)


def test_threshold_is_null_without_validation_conversations(project: Path) -> None:
    user = json.loads((run("out", samples(["test", "test", "train"])) / "user.json").read_text())
    termination = user["termination"]["trained"]
    assert termination["threshold"] is None
    assert termination["f1"]["reason"] == "no person ended a validation conversation: no threshold to choose"
    assert user["perplexity"]["trained"]["with_intent"]["value"] > 1


@pytest.mark.parametrize("splits", [["train", "validation"], []])
def test_no_test_people_give_a_warning_and_nulls_with_reasons(project: Path, splits: list[str]) -> None:
    for arm in ARMS:
        pairs().clear().write_parquet(f"pairs/{arm}.parquet")
    out = run("out", samples(splits))
    user, assistants = (json.loads((out / name).read_text()) for name in ("user.json", "assistants.json"))
    for measure in ("role_adherence", "intent_adherence"):  # their items are not from the log
        assert user.pop(measure)["trained"]["n"] == 3
    assert "no test conversation has an intent" in user["warnings"][0]
    figures = estimates(user) + estimates(assistants)
    assert len(figures) > 20
    assert all(figure["value"] is None and figure["reason"] for figure in figures)
    assert pl.read_parquet(out / "answers.parquet").is_empty()
