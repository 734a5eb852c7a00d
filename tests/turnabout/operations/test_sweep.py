"""Leftovers: outputs of removed arms, temporary files, checkpoints, pages."""

from pathlib import Path

import networkx as nx
import pytest

from turnabout.operations import sweep
from turnabout.pipeline.repro import Stage


def project(root: Path, monkeypatch: pytest.MonkeyPatch, arm: str) -> Path:
    """Create the files of a graph with a table and one arm."""
    outs = {"ingest": ["data/ingested"], f"train@{arm}": [f"models/assistants/{arm}", f"data/pairs/{arm}.parquet"]}
    graph = nx.DiGraph()
    for name, paths in outs.items():
        graph.add_node(name, stage=Stage(name, "", "", (), (), tuple(paths), (), ()))
    monkeypatch.setattr(sweep, "load_stage_graph", lambda _: graph)
    for file in ("data/ingested/part-00.parquet", "models/backbone/own.bin", *outs[f"train@{arm}"]):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


@pytest.mark.parametrize("arm", ["repairs", "pairs", "assistants", "p", "data"])
def test_outputs_of_removed_arms_are_leftovers_for_any_arm_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str
) -> None:
    root = project(tmp_path, monkeypatch, arm)
    old = [root / "data/pairs/old.parquet", root / "models/assistants/old"]
    for path in old:
        path.touch()
    assert sweep._find_leftovers(root) == sorted(old)


def test_temporary_files_and_pages_are_deleted_inside_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path, monkeypatch, "repairs")
    for folder in ("models/assistants/old/.weights.x.tmp", "data/.feedback.y.tmp", "labels"):
        (root / folder).mkdir(parents=True)
    (root / "labels/label.html").touch()
    (root / "labels/feedback.csv").touch()
    for path in sweep._find_leftovers(root):
        sweep.delete_path(path)
    kept = {path.name for path in root.rglob("*") if path.is_file()}
    assert kept == {"part-00.parquet", "own.bin", "repairs", "repairs.parquet", "feedback.csv"}
    assert not (root / "models/assistants/old").exists()


def test_checkpoints_of_unfinished_trainings_are_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path, monkeypatch, "repairs")
    weights = root / ".turnabout/work/ablate-base/0123456789abcdef/checkpoint-200/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert sweep._find_leftovers(root) == [weights.parent]
