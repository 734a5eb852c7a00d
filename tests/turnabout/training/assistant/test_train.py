"""Preference training on the tiny model."""

import json

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.core.io import read_json
from turnabout.losses.dpo import DPO
from turnabout.losses.simpo import SimPO
from turnabout.models import checkpoints
from turnabout.training.assistant.pairwise import build_pair_objective, compute_pair_logps, encode_pairs
from turnabout.training.assistant.rows import add_reference_logps
from turnabout.training.assistant.train import CURVE, save_adapter
from turnabout.training.engine.adapter import create_adapter
from turnabout.training.engine.loop import train_model

TWO = [("hi", "good", "bad"), ("yo", "fine", "ugly")]


@pytest.fixture
def train_arm(train_tiny, pairs):
    def train(frame=None, loss=None, epochs=1):
        return train_tiny(pairs(*TWO) if frame is None else frame, loss or DPO(), epochs)

    return train


def compute_logits(model):
    with torch.no_grad():
        return model(torch.tensor([[3, 1, 4, 1, 5]])).logits


def test_training_raises_the_margin_and_returns_its_figures(train_arm) -> None:
    assistant = train_arm(epochs=10)
    assert assistant.history.columns == CURVE
    assert assistant.history["margin"][-1] > assistant.history["margin"][0]
    assert assistant.metrics["n_pairs"] == 2
    assert assistant.metrics["steps"] == 10
    assert assistant.metrics["accuracy"] == 1.0
    assert assistant.metrics["last_loss"] < assistant.metrics["first_loss"]
    assert assistant.metrics["gate"]["passed"]


def test_loss_without_a_reference_trains(train_arm) -> None:
    assert train_arm(loss=SimPO(), epochs=10).metrics["margin"] is not None


def test_training_needs_only_one_pair(train_arm, pairs) -> None:
    assert train_arm(pairs(TWO[0])).metrics["n_pairs"] == 1


def test_gate_passes_with_uncertain_labels(train_arm, pairs) -> None:
    assert train_arm(pairs(*TWO, p_win=0.5)).metrics["gate"]["passed"]


def test_saved_adapter_loads_as_the_trained_model(train_arm, tiny_checkpoint, tmp_path) -> None:
    assistant = train_arm(epochs=5)
    save_adapter(assistant.model, tiny_checkpoint, tmp_path / "arm")
    loaded = checkpoints.load_checkpoint(tmp_path / "arm", "float32")
    torch.testing.assert_close(compute_logits(loaded.model), compute_logits(assistant.model), rtol=1e-4, atol=1e-5)
    untrained = compute_logits(checkpoints.load_checkpoint(tiny_checkpoint, "float32").model)
    assert (compute_logits(loaded.model) - untrained).abs().max() > 1e-3


def test_saved_adapter_holds_no_path_except_its_base(train_arm, tiny_checkpoint, tmp_path) -> None:
    save_adapter(train_arm().model, tiny_checkpoint, tmp_path / "arm")
    names = sorted(path.name for path in (tmp_path / "arm").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "base.json"]
    config = json.loads((tmp_path / "arm" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == ""
    assert config["target_modules"] == sorted(config["target_modules"])
    kinds = {name.rpartition(".")[2] for name in config["target_modules"]}
    assert kinds == {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}
    assert read_json(tmp_path / "arm" / "base.json") == {"base": tiny_checkpoint.as_posix()}


def test_killed_training_resumes_with_the_same_adapter(tiny, settings, pairs, tmp_path, kill_training) -> None:
    rows = add_reference_logps(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, compute_pair_logps)

    objective, longer = build_pair_objective(DPO()), settings._replace(epochs=5)

    def run(work, *callbacks):
        adapter = create_adapter(tiny, 4, 7)
        try:
            train_model(adapter, rows, objective, settings=longer, work=tmp_path / work, callbacks=callbacks)
            return {name: value.clone() for name, value in adapter.state_dict().items() if "lora" in name}
        finally:
            adapter.unload()

    kill_training(lambda kill: run("work", kill), after=3)
    assert list(tmp_path.glob("work/*/checkpoint-2"))
    torch.testing.assert_close(run("work"), run("whole"), rtol=0, atol=0)


def test_assistant_without_pairs_is_the_policy_and_has_a_reason(train_arm, tiny_checkpoint, tmp_path) -> None:
    assistant = train_arm(pl.DataFrame(schema=schemas.PAIRS))
    assert assistant.metrics["n_pairs"] == 0
    assert "no usable preference pair" in assistant.metrics["reason"]
    assert assistant.history.is_empty()
    save_adapter(assistant.model, tiny_checkpoint, tmp_path / "arm")
    loaded, policy = (
        checkpoints.load_checkpoint(path, "float32").model for path in (tmp_path / "arm", tiny_checkpoint)
    )
    assert torch.equal(compute_logits(loaded), compute_logits(policy))
