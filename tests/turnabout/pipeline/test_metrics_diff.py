"""Comparison of metrics between git commits, with DVC's own commands."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.source_tree import ROOT
from tests.toy_project import create_toy_project, set_learning_rate

DRIFT = "metrics/train_assistant/drift.json"


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the toy project, run and committed at rate 0.1, then run at rate 0.5."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    root = create_toy_project(tmp_path / "project")
    set_learning_rate(root, "drift", 0.1)
    run_dvc(root, "repro", "train_assistant@drift")
    commit = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "--quiet", "--message", "first"]
    for arguments in (["add", "--all"], commit):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    set_learning_rate(root, "drift", 0.5)
    run_dvc(root, "repro", "train_assistant@drift")
    return root


def run_dvc(root: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def test_metrics_diff_shows_the_committed_and_the_new_value(committed: Path) -> None:
    difference = json.loads(run_dvc(committed, "metrics", "diff", "--json"))
    assert difference[DRIFT] == {"rate": {"old": 0.1, "new": 0.5, "diff": 0.4}}


def test_exp_show_shows_the_metrics_of_the_workspace_and_of_the_commit(committed: Path) -> None:
    shown: list[dict[str, Any]] = json.loads(run_dvc(committed, "exp", "show", "--json"))
    rates = [state["data"]["metrics"][DRIFT]["data"]["rate"] for state in shown]
    assert rates == [0.5, 0.1]


@pytest.mark.parametrize("pipeline", ["dvc.yaml", "ablations/dvc.yaml"])
def test_no_output_is_left_out_of_the_cache(pipeline: str) -> None:
    # A file that git ignores and DVC does not cache exists in the workspace alone.
    assert "cache: false" not in (ROOT / pipeline).read_text(encoding="utf-8")
