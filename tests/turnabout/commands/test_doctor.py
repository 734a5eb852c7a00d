"""Tests of `turnabout doctor`."""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import httpx2
import pytest
import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from transformers import AutoTokenizer

from tests.source_tree import ROOT
from tests.toy_project import create_toy_project
from turnabout.commands import doctor
from turnabout.commands.doctor import Check

BIN = Path(sys.executable).parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a toy project with the lock that ships, the working directory."""
    root = create_toy_project(tmp_path / "project")
    shutil.copy(ROOT / "requirements.lock", root)
    monkeypatch.chdir(root)
    return root


def find_check(root: Path, subject: str) -> Check:
    (check,) = [check for check in doctor.run_checks(root) if check.subject == subject]
    return check


def set_backbone(root: Path, name: str) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["backbone"]["name"] = name
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def test_lock_that_ships_has_a_pin_in_every_line_without_a_comment() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = doctor.parse_pins(lock)
    unmarked = [line for line in lock.splitlines() if line.strip() and not line.startswith("#") and ";" not in line]
    assert len(set(pins) - {"whenever"}) == len(unmarked)  # whenever is for Python 3.13 alone
    assert all(name.replace("-", "").replace("_", "").replace(".", "").isalnum() for name in pins)
    assert pins["torch"] == "2.13.0"


def test_pin_for_another_python_is_left_out() -> None:
    lock = 'a==1\nb==2; python_version >= "3.0"\nc==3; python_version < "3.0"\n'
    assert doctor.parse_pins(lock) == {"a": "1", "b": "2"}


def test_environment_of_the_lock_that_ships_has_no_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = doctor.parse_pins((project / "requirements.lock").read_text())
    monkeypatch.setattr("importlib.metadata.version", lambda name: pins[name] + ("+cpu" if name == "torch" else ""))
    assert find_check(project, "packages") == Check("packages", f"{len(pins)} as pinned in requirements.lock")


def test_local_version_suffix_of_a_pin_does_not_count(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0")
    (project / "requirements.lock").write_text("# torch==1.0\ntorch==2.13.0+cpu ; python_version > '3'\n")
    assert find_check(project, "packages").remedy is None


def test_missing_and_differing_packages_are_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_version(name: str) -> str:
        if name == "absent":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("importlib.metadata.version", find_version)
    (project / "requirements.lock").write_text("absent==2.0\nold==3.0\nsame==1.0\n")
    check = find_check(project, "packages")
    assert check.finding == "absent is missing; old is 1.0, pinned 3.0"
    assert check.remedy == "run `make install` again"


def test_environment_that_is_not_activated_is_reported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}/bin")
    remedy = find_check(project, "PATH").remedy
    assert remedy in (f"run `source {BIN}/activate`", f"put {BIN} on PATH")
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}/usr/bin")
    assert find_check(project, "PATH").remedy is None


def test_folder_with_a_usable_template_is_accepted(
    project: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "tiny").symlink_to(tiny_checkpoint)
    set_backbone(project, "tiny")
    monkeypatch.chdir("/")
    assert find_check(project, "backbone").remedy is None


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "the tokenizer has no chat template"),
        (
            "{% for m in messages %}{{ m['content'] if loop.last else '' }}{% endfor %}",
            "changes or drops message contents",
        ),
    ],
)
def test_folder_with_a_refused_template_is_reported_without_its_weights(
    project: Path, tiny_checkpoint: Path, template: str | None, message: str
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(project / "mine")
    shutil.copy(tiny_checkpoint / "config.json", project / "mine")
    (project / "mine" / "model.safetensors").write_bytes(b"not read")
    set_backbone(project, "mine")
    assert message in str(find_check(project, "backbone").remedy)


def test_folder_without_weights_is_reported(project: Path) -> None:
    (project / "empty").mkdir()
    set_backbone(project, "empty")
    assert "holds no *.safetensors weights" in str(find_check(project, "backbone").remedy)


@pytest.fixture
def answer_of_hub(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], str]:
    """Return a function for the advice about a Hub id that cannot be read."""
    set_backbone(project, "owner/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    def advise(error: Exception) -> str:
        def refuse(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(HfApi, "auth_check", refuse)
        monkeypatch.setattr(HfApi, "model_info", refuse)
        return str(find_check(project, "backbone").remedy)

    return advise


def test_hub_model_that_cannot_be_read_gets_advice(answer_of_hub: Callable[[Exception], str]) -> None:
    response = httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co"))
    gated = answer_of_hub(GatedRepoError("gated", response=response))
    assert gated.startswith("accept its terms on https://huggingface.co/owner/model and set HF_TOKEN")
    absent = answer_of_hub(RepositoryNotFoundError("absent", response=response))
    assert absent.startswith("the Hub knows no public model of that name")
    assert "HF_TOKEN" in absent
    assert "the Hub gave no answer for it: ConnectError" in answer_of_hub(httpx2.ConnectError("no network"))


def test_hub_model_in_an_offline_environment_is_reported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_backbone(project, "owner/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert str(find_check(project, "backbone").remedy).endswith("; unset HF_HUB_OFFLINE")


def test_status_is_1_where_something_has_to_be_done(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "run_checks", lambda _: iter([Check("a", "fine")]))
    assert doctor.execute() == 0
    monkeypatch.setattr(doctor, "run_checks", lambda _: iter([Check("a", "fine"), Check("b", "broken", "mend it")]))
    assert doctor.execute() == 1
    assert capsys.readouterr().out.endswith("DO  b: broken\n    → mend it\n1 to be fixed.\n")
