"""Tests of `turnabout export-user`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from turnabout.cli import main
from turnabout.core.io import write_json
from turnabout.models import checkpoints
from turnabout.training.user_model.train import add_end_token, save_user


def run_export(*arguments: str) -> object:
    with pytest.raises(SystemExit) as exit_info:
        main(["export-user", *arguments])
    return exit_info.value.code


@pytest.fixture
def project(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project that has trained a user model and nothing else."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text(Path(name).read_text())
    save_user(add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32")), tmp_path / "models/user")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_projects_model_gets_the_projects_card(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_export("--out", "out") == 0
    assert capsys.readouterr().out.strip().endswith("out: model, tokenizer and card (0 figures)")
    assert "No figures were available" in (project / "out/README.md").read_text()


def test_another_model_gets_a_card_without_facts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "models/user").rename(project / "models/theirs")
    assert run_export("models/theirs", "--out", "out") == 0
    assert "it is not this project's models/user" in capsys.readouterr().out
    assert "was not trained by the project" in (project / "out/README.md").read_text()


def test_an_adapter_is_merged_into_its_base(project: Path) -> None:
    base = checkpoints.load_checkpoint(project / "models/user", "float32")
    weight = base.model.model.layers[0].self_attn.q_proj.weight.detach().clone()
    torch.manual_seed(0)
    adapted: Any = get_peft_model(base.model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(project / "models/adapted")
    write_json({"base": "models/user"}, project / "models/adapted/base.json")
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    expected = (weight + layer.get_delta_weight("default").detach()).bfloat16()
    assert run_export("models/adapted", "--out", "out") == 0
    merged = AutoModelForCausalLM.from_pretrained("out").model.layers[0].self_attn.q_proj.weight
    assert torch.equal(merged, expected)
    assert not torch.equal(merged, weight.bfloat16())


def test_a_folder_that_is_not_empty_is_refused_before_a_model_is_read(project: Path) -> None:
    assert "models is not empty; name a new folder" in str(run_export("models/none", "--out", "models"))


def test_a_model_without_the_end_token_is_refused(project: Path, tiny_checkpoint: Path) -> None:
    assert "is no user model" in str(run_export(str(tiny_checkpoint), "--out", "out"))
    assert not (project / "out").exists()
