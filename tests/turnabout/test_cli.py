"""Tests of the command line and of the commands run and plan."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.toy_project import create_toy_project
from turnabout.cli import main
from turnabout.commands import COMMANDS
from turnabout.commands.plan import explain_stages
from turnabout.pipeline.processes import ProcessGroups
from turnabout.pipeline.repro import load_stage_graph, reproduce_stage, select_stages


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = create_toy_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def run_command(*arguments: str) -> str | int | None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code


def test_help_imports_no_heavy_library() -> None:
    heavy = "{'torch', 'mlflow', 'prefect', 'polars', 'dvc', 'pydantic', 'rich'}"
    script = f"import sys; import turnabout.cli; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"


def test_version_shows_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("--version") == 0
    assert capsys.readouterr().out == f"turnabout {version('turnabout')}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_a_sentence_and_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(name, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"example: turnabout {name}" in text
    assert "default: None" not in text


def test_plan_outside_a_project_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no dvc.yaml and params.yaml here or above" in str(run_command("plan"))


def test_mistake_in_params_is_reported_without_a_traceback(project: Path) -> None:
    (project / "params.yaml").write_text("sead: 1\n")
    assert str(run_command("run")).startswith("ConfigError: ")
    assert "sead" in str(run_command("plan"))


def test_plan_shows_reasons_and_unknown_times(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("plan", "train_assistant@drift") == 0
    output = capsys.readouterr().out
    assert "train_assistant@drift" in output
    assert "never ran" in output
    assert "evaluate" not in output
    assert "unknown" in output


def test_explain_stages_names_the_stale_stage_before_a_stage(project: Path) -> None:
    graph = load_stage_graph(project)
    reasons = explain_stages(graph, select_stages(graph), {"train_assistant@drift": ["arms.drift.train modified"]})
    assert reasons == {
        "train_assistant@drift": ["arms.drift.train modified"],
        "evaluate": ["after train_assistant@drift"],
        "report": ["after train_assistant@drift", "after evaluate"],
    }


def test_run_says_that_everything_is_up_to_date(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce_stage(project, "ingest", ProcessGroups(), lambda _: None)
    assert run_command("run", "ingest") == 0
    assert "Everything is up to date (1 stages), nothing to do." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [([".git"], "`git init`"), ([".dvc"], "`dvc init`"), ([".git", ".dvc"], "`git init && dvc init`")],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_folder_without_repositories_gets_the_command_that_makes_them(
    project: Path, command: str, absent: list[str], remedy: str
) -> None:
    for name in absent:
        shutil.rmtree(project / name)
    kinds = " and no ".join(name.removeprefix(".") for name in absent)
    message = str(run_command(command))
    assert message == f"ConfigError: {project} is no {kinds} repository, and DVC needs both; run {remedy} in {project}"


@pytest.mark.parametrize(("target", "is_shown"), [("train_assistant@drift", False), ("report", True)])
def test_run_shows_the_five_numbers_only_if_it_measured_them(
    project: Path, target: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "report").mkdir()
    (project / "report" / "index.html").write_text("old")
    monkeypatch.setattr("turnabout.commands.run._run_flow", lambda *_: 0)
    assert run_command("run", target) == 0
    output = capsys.readouterr().out
    assert ("1. feedback mined" in output) is is_shown
    assert ("of an earlier run" in output) is not is_shown


def test_doctor_names_what_must_be_fixed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.lock").write_text("polars==0.0.1\nno-such-package==1.0\n")
    assert run_command("doctor") == 1
    output = capsys.readouterr().out
    assert "pinned 0.0.1; no-such-package is missing" in output
    assert "ok  DVC: 6 stages" in output
