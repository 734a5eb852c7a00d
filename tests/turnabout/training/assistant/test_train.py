"""Preference training on the tiny model: adapter, curve, resuming, and the empty case."""

import json

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.core.io import read_json
from turnabout.losses.dpo import DPO
from turnabout.losses.simpo import SimPO
from turnabout.models import checkpoints
from turnabout.training.assistant.pairwise import encode_pairs, pair_logps, pair_objective
from turnabout.training.assistant.reference import with_reference
from turnabout.training.assistant.train import CURVE, save_adapter, train_assistant
from turnabout.training.engine.adapter import new_adapter
from turnabout.training.engine.loop import train

TWO = [("hi", "good", "bad"), ("yo", "fine", "ugly")]


@pytest.fixture
def trained(tiny, settings, pairs, tmp_path):
    gate = settings._replace(schedule="constant", epochs=40, max_steps=40)

    def run(frame=None, loss=None, epochs=1):
        frame = pairs(*TWO) if frame is None else frame
        longer = settings._replace(epochs=epochs)
        return train_assistant(tiny, frame, loss or DPO(), 100, 4, longer, gate, 2, tmp_path / "work")

    return run


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([[3, 1, 4, 1, 5]])).logits


def test_training_moves_the_margin_up_and_says_what_it_did(trained) -> None:
    assistant = trained(epochs=10)
    assert assistant.history.columns == CURVE
    assert assistant.history["margin"][-1] > assistant.history["margin"][0]
    assert assistant.metrics["n_pairs"] == 2
    assert assistant.metrics["steps"] == 10
    assert assistant.metrics["accuracy"] == 1.0
    assert assistant.metrics["last_loss"] < assistant.metrics["first_loss"]
    assert assistant.metrics["gate"]["passed"]


def test_a_loss_without_a_reference_trains_too(trained) -> None:
    assert trained(loss=SimPO(), epochs=10).metrics["margin"] is not None


def test_one_pair_is_enough(trained, pairs) -> None:
    assert trained(pairs(TWO[0])).metrics["n_pairs"] == 1


def test_labels_in_doubt_do_not_fail_the_gate(trained, pairs) -> None:
    assert trained(pairs(*TWO, p_win=0.5)).metrics["gate"]["passed"]


def test_saved_adapter_gives_the_trained_model_back(trained, tiny_checkpoint, tmp_path) -> None:
    assistant = trained(epochs=5)
    save_adapter(assistant.model, tiny_checkpoint, tmp_path / "arm")
    loaded = checkpoints.load(tmp_path / "arm", "float32")
    torch.testing.assert_close(logits(loaded.model), logits(assistant.model), rtol=1e-4, atol=1e-5)
    untrained = logits(checkpoints.load(tiny_checkpoint, "float32").model)
    assert (logits(loaded.model) - untrained).abs().max() > 1e-3


def test_saved_adapter_holds_no_place_of_this_machine_but_its_base(trained, tiny_checkpoint, tmp_path) -> None:
    save_adapter(trained().model, tiny_checkpoint, tmp_path / "arm")
    names = sorted(path.name for path in (tmp_path / "arm").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "base.json"]
    config = json.loads((tmp_path / "arm" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == ""
    assert config["target_modules"] == sorted(config["target_modules"])
    kinds = {name.rpartition(".")[2] for name in config["target_modules"]}
    assert kinds == {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}
    assert read_json(tmp_path / "arm" / "base.json") == {"base": tiny_checkpoint.as_posix()}


def test_a_killed_training_goes_on_with_the_same_adapter(tiny, settings, pairs, tmp_path, begun_and_killed) -> None:
    rows = with_reference(tiny.model, encode_pairs(tiny.chat, pairs(*TWO), 100)[0], settings, pair_logps)

    def run(work, *callbacks):
        adapter = new_adapter(tiny, 4, 7)
        try:
            train(adapter, rows, pair_objective(DPO()), settings._replace(epochs=5), tmp_path / work, callbacks)
            return {name: value.clone() for name, value in adapter.state_dict().items() if "lora" in name}
        finally:
            adapter.unload()

    begun_and_killed(lambda kill: run("work", kill), after=3)
    assert list(tmp_path.glob("work/*/checkpoint-2"))
    torch.testing.assert_close(run("work"), run("whole"), rtol=0, atol=0)


def test_without_pairs_the_assistant_is_the_policy_and_the_metrics_say_so(trained, tiny_checkpoint, tmp_path) -> None:
    assistant = trained(pl.DataFrame(schema=schemas.PAIRS))
    assert assistant.metrics["n_pairs"] == 0
    assert "no usable preference pair" in assistant.metrics["reason"]
    assert assistant.history.is_empty()
    save_adapter(assistant.model, tiny_checkpoint, tmp_path / "arm")
    loaded, policy = (checkpoints.load(path, "float32").model for path in (tmp_path / "arm", tiny_checkpoint))
    assert torch.equal(logits(loaded), logits(policy))
