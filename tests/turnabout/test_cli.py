"""The command line: quick to start, plain about mistakes, done at once where nothing is stale."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toy_project import make_project
from turnabout.cli import main
from turnabout.commands.plan import explain_stages
from turnabout.pipeline.processes import ProcessGroups
from turnabout.pipeline.repro import reproduce_stage, load_stage_graph, select_stages


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = make_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def exit_of(*arguments: str) -> str | int | None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'mlflow', 'prefect', 'polars', 'dvc', 'pydantic', 'rich'}"
    script = f"import sys; import turnabout.cli; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"


def test_outside_a_project_the_error_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no dvc.yaml and params.yaml here or above" in str(exit_of("plan"))


def test_a_mistake_in_params_is_told_without_a_traceback(project: Path) -> None:
    (project / "params.yaml").write_text("sead: 1\n")
    assert str(exit_of("run")).startswith("ConfigError: ")
    assert "sead" in str(exit_of("plan"))


def test_plan_shows_reasons_and_unknown_times(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("plan", "train_assistant@drift") == 0
    shown = capsys.readouterr().out
    assert "train_assistant@drift" in shown
    assert "never ran" in shown
    assert "evaluate" not in shown
    assert "unknown" in shown


def test_a_stage_after_a_stale_one_is_planned_with_that_reason(project: Path) -> None:
    graph = load_stage_graph(project)
    reasons = explain_stages(graph, select_stages(graph), {"train_assistant@drift": ["arms.drift.train modified"]})
    assert reasons == {
        "train_assistant@drift": ["arms.drift.train modified"],
        "evaluate": ["after train_assistant@drift"],
        "report": ["after train_assistant@drift", "after evaluate"],
    }


def test_run_says_that_nothing_is_to_be_done(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce_stage(project, "ingest", ProcessGroups(), lambda _: None)
    assert exit_of("run", "ingest") == 0
    assert "Everything is up to date (1 stages), nothing to do." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [([".git"], "`git init`"), ([".dvc"], "`dvc init`"), ([".git", ".dvc"], "`git init && dvc init`")],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_folder_without_its_repositories_is_told_the_command_that_makes_them(
    project: Path, command: str, absent: list[str], remedy: str
) -> None:
    for name in absent:
        shutil.rmtree(project / name)
    kinds = " and no ".join(name.removeprefix(".") for name in absent)
    told = str(exit_of(command))
    assert told == f"ConfigError: {project} is no {kinds} repository, and DVC needs both; run {remedy} in {project}"


@pytest.mark.parametrize(("target", "is_shown"), [("train_assistant@drift", False), ("report", True)])
def test_five_numbers_are_shown_only_by_a_run_that_measured_them(
    project: Path, target: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "report").mkdir()
    (project / "report" / "index.html").write_text("old")
    monkeypatch.setattr("turnabout.commands.run._run_flow", lambda *_: 0)
    assert exit_of("run", target) == 0
    shown = capsys.readouterr().out
    assert ("1. feedback mined" in shown) is is_shown
    assert ("of an earlier run" in shown) is not is_shown


def test_doctor_names_what_must_be_done(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.lock").write_text("polars==0.0.1\nno-such-package==1.0\n")
    assert exit_of("doctor") == 1
    shown = capsys.readouterr().out
    assert "pinned 0.0.1; no-such-package is missing" in shown
    assert "ok  DVC: 6 stages" in shown
