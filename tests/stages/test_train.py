"""The three training stages on the tiny model."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

from stages import train_assistant, train_reward, train_user
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_json, write_frame
from turnabout.errors import ConfigError
from turnabout.models import checkpoints
from turnabout.training.reward_model import load_head

SHIPPED = ROOT / "params.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with the shipped parameters.

    It computes in float32, and its gate is one that a tiny model can pass.
    """
    params = yaml.safe_load(SHIPPED.read_text())
    params["backbone"]["dtype"] = "float32"
    params["train_assistant"] |= {"gate_steps": 40, "gate_learning_rate": 1.0e-2, "lora_rank": 4}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build_samples() -> pl.DataFrame:
    """Return eight conversations, each a word longer than the one before."""
    talks = [
        [("user", "hi"), ("assistant", "hello"), ("user", "bye " * n), ("assistant", "see you")] for n in range(1, 9)
    ]
    row = {"split": "train", "intent": "chat", "target_indexes": [0, 2], "ends": True}
    messages = [[{"role": role, "content": content} for role, content in talk] for talk in talks]
    return pl.DataFrame(
        [{"conversation_id": f"c{i}", "messages": m, **row} for i, m in enumerate(messages)]
    ).with_columns(pl.lit("ann").alias("user_key"), pl.col("target_indexes").cast(pl.List(pl.Int32)))


def build_pairs(**columns: Any) -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(schemas.PAIRS),
            "pair_id": f"p{i}",
            "split": "train",
            "prompt": [{"role": "user", "content": "hi"}],
            "chosen": f"good {i}",
            "rejected": f"bad {i}",
            "weight": 1.0,
            "keep": True,
            **columns,
        }
        for i in range(4)
    ]
    return pl.DataFrame(rows, schema=schemas.PAIRS)


def change_options(folder: Path, **options: Any) -> None:
    """Change section `train_user` of the parameters."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["train_user"] |= options
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run_user(model: Path) -> None:
    write_frame(build_samples(), Path("samples.parquet"), schemas.USER_SAMPLES)
    train_user.main(
        Path("samples.parquet"),
        model=model,
        user=Path("user"),
        metrics=Path("metrics.json"),
        curve=Path("curve.csv"),
    )


def run_assistant(model: Path, frame: pl.DataFrame) -> None:
    write_frame(frame, Path("pairs.parquet"), schemas.PAIRS)
    train_assistant.main(
        "follow_up",
        pairs=Path("pairs.parquet"),
        policy=model,
        assistant=Path("assistant"),
        metrics=Path("metrics.json"),
        curve=Path("curve.csv"),
    )


def run_reward(model: Path, frame: pl.DataFrame) -> None:
    write_frame(frame, Path("pairs.parquet"), schemas.PAIRS)
    train_reward.main(Path("pairs.parquet"), model, Path("reward"), Path("metrics.json"))


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_train_user_writes_a_model_a_curve_and_figures(folder: Path, tiny_checkpoint: Path) -> None:
    run_user(tiny_checkpoint)
    assert checkpoints.load_checkpoint(folder / "user").chat.end_of_conversation_id is not None
    curve = pl.read_csv("curve.csv")
    assert curve.columns == ["step", "loss", "learning_rate", "tokens"]
    assert list(read_json(folder / "metrics.json")) == [
        *("n_samples", "n_windows", "n_rows", "n_tokens", "n_trained_tokens", "n_target_tokens"),
        *("n_parameters", "n_vocabulary", "steps", "first_loss", "last_loss", "dropped_by_reason"),
    ]
    assert not list((folder / ".turnabout" / "work").iterdir())


def test_train_user_refuses_a_different_number_of_started_processes(
    folder: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"train_user\.processes: 1, but 2 were started; make them equal"):
        run_user(tiny_checkpoint)


def test_train_assistant_writes_an_adapter_a_curve_and_figures(folder: Path, tiny_checkpoint: Path) -> None:
    run_assistant(tiny_checkpoint, build_pairs())
    assert checkpoints.load_checkpoint(folder / "assistant").name == "assistant"
    assert pl.read_csv("curve.csv").columns == [
        *("step", "loss", "accuracy", "margin", "chosen_reward", "rejected_reward", "learning_rate")
    ]
    metrics = read_json(folder / "metrics.json")
    assert metrics["gate"]["passed"] is True
    assert (metrics["n_pairs"], metrics["steps"]) == (4, 1)


def test_train_assistant_without_pairs_warns_and_writes_all_files(
    folder: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_assistant(tiny_checkpoint, build_pairs(keep=False))
    assert read_json(folder / "metrics.json")["n_pairs"] == 0
    assert "warning: no usable preference pair" in capsys.readouterr().err
    assert pl.read_csv("curve.csv").height == 0
    assert checkpoints.load_checkpoint(folder / "assistant").name == "assistant"


def test_train_assistant_refuses_an_unknown_arm(folder: Path) -> None:
    paths = dict.fromkeys(["pairs", "policy", "assistant", "metrics", "curve"], folder)
    with pytest.raises(ConfigError, match=r"arm 'nope' is not one of \['drift', 'follow_up'\]"):
        train_assistant.main("nope", **paths)


def test_train_reward_writes_a_head_and_accuracies(folder: Path, tiny_checkpoint: Path) -> None:
    run_reward(tiny_checkpoint, build_pairs())
    assert load_head(folder / "reward").weight.shape == (32,)
    metrics = read_json(folder / "metrics.json")
    assert metrics["n_train"] == 4
    assert metrics["validation_accuracy"]["reason"] == "no pair in this split"


def test_train_reward_without_pairs_warns(
    folder: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_reward(tiny_checkpoint, build_pairs(keep=False))
    assert "0 training pairs, 2 are needed" in capsys.readouterr().err
    assert not load_head(folder / "reward").weight.any()


@pytest.mark.parametrize(
    "run",
    [run_user, lambda model: run_assistant(model, build_pairs()), lambda model: run_reward(model, build_pairs())],
    ids=["train_user", "train_assistant", "train_reward"],
)
def test_training_stage_gives_the_same_bytes_twice(
    run: Callable[[Path], None], folder: Path, tiny_checkpoint: Path
) -> None:
    run(tiny_checkpoint)
    first = hash_files(folder)
    run(tiny_checkpoint)
    assert hash_files(folder) == first


@pytest.mark.slow
@pytest.mark.parametrize("sampled_softmax", [None, 4])
def test_two_processes_take_the_same_steps_as_one(
    folder: Path, tiny_checkpoint: Path, sampled_softmax: int | None
) -> None:
    """Train with a step in which one process has no row.

    Eight windows in three rows make a step of two rows and one of a single row.
    """
    results = []
    for processes in (1, 2):
        options = {"processes": processes, "batch_size": 2, "epochs": 3, "max_length": 300, "learning_rate": 1e-2}
        change_options(folder, **options, sampled_softmax=sampled_softmax)
        run_user(tiny_checkpoint)
        weights = checkpoints.load_checkpoint(folder / "user", "float32").model.state_dict()
        results.append((pl.read_csv("curve.csv"), read_json(folder / "metrics.json"), weights))
    (curve, metrics, weights), (shared_curve, shared_metrics, shared_weights) = results
    assert metrics["n_rows"] == 3
    assert metrics["steps"] == shared_metrics["steps"] == 6
    assert shared_curve["tokens"].to_list() == curve["tokens"].to_list()
    assert shared_curve["loss"].to_list() == pytest.approx(curve["loss"].to_list(), abs=1e-5)
    torch.testing.assert_close(shared_weights, weights, rtol=0.01, atol=1e-4)  # saved in bfloat16: 1/256 is one step
