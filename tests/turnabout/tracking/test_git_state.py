"""The commit and dirty flag a pipeline run carries."""

import subprocess
from pathlib import Path

from turnabout.tracking.pipeline_runs import _read_git_tags


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def test_only_changes_to_tracked_files_make_a_run_dirty(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "dvc.lock").write_text("written by the run\n")
    assert (_read_git_tags(tmp_path)["git.commit"], _read_git_tags(tmp_path)["git.dirty"]) == (
        git(tmp_path, "rev-parse", "HEAD"),
        "false",
    )
    (tmp_path / "params.yaml").write_text("seed: 2\n")
    assert _read_git_tags(tmp_path)["git.dirty"] == "true"


def test_outside_a_repository_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert _read_git_tags(tmp_path) == {}
