"""The real graph in one process.

Builds a project folder with a log and small parameters, and runs its stages in order.
"""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages._command import command
from tests.source_tree import ROOT
from turnabout.pipeline.repro import load_stage_graph, select_stages


def build_tiny_params(model: Path) -> dict[str, Any]:
    """Return the shipped parameters with small limits.

    Tokens are bytes, and the log is in the openai format.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["backbone"] = {"name": str(model), "dtype": "float32"}
    params["ingest"]["sources"] = [{"format": "openai", "path": "logs/*.jsonl"}]
    params["split"] = {"validation": 0.25, "test": 0.25, "test_from": None}
    params["intend"].update(conversations={"train": None, "validation": None, "test": None}, max_new_tokens=8)
    params["intend"]["max_fallback"] = 1.0  # a random model never ends a sentence
    params["train_user"].update(max_length=400, max_tokens=4000, learning_rate=1e-3)
    params["augment"].update(max_replies=4, max_new_tokens=6)
    params["build_pairs"].update(max_prompt_tokens=200, max_new_tokens=40)
    params["train_assistant"].update(max_length=300, gate_steps=150, gate_learning_rate=1e-2)
    params["train_reward"]["max_length"] = 300
    params["arms"]["drift"]["pairs"]["max_pairs"] = 6
    params["arms"]["follow_up"]["pairs"].update(prompts=4, k=2, phrases_per_dimension=1)
    params["simulate"].update(conversations=2, max_exchanges=2, user_tokens=6, assistant_tokens=6)
    params["evaluate"].update(
        conversations=4, contexts=3, max_length=400, ending_length=400, max_new_tokens=6, resamples=50
    )
    return params


def create_project(folder: Path, model: Path, conversations: Sequence[dict[str, Any]]) -> Path:
    """Copy the repository's graph to `folder`, with this log only.

    The copy is a git and DVC repository of its own.
    """
    folder.mkdir()
    for part in ("stages", "flows", "src", "evaluation_sets", "follow_ups"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for part in ("dvc.yaml", ".dvcignore", ".gitignore", "forgotten.txt"):
        shutil.copy(ROOT / part, folder / part)
    (folder / "logs").mkdir()
    (folder / "labels").mkdir()
    (folder / "logs" / "log.jsonl").write_text(
        "".join(json.dumps(conversation) + "\n" for conversation in conversations)
    )
    (folder / "params.yaml").write_text(yaml.safe_dump(build_tiny_params(model)))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=folder, check=True)
    return folder


def run_stages_in_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every stage of the project in order, without DVC or MLflow.

    Each stage runs with its own command line from `dvc.yaml`.
    """
    monkeypatch.chdir(project)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    graph = load_stage_graph(project)
    for name in select_stages(graph):
        words = shlex.split(graph.nodes[name]["stage"].command)
        monkeypatch.setattr("sys.argv", words[2:])
        command(import_module(words[2]).main)


def read_metrics(project: Path, name: str) -> Any:
    """Return one metrics file of a project."""
    return json.loads((project / "metrics" / f"{name}.json").read_text())
