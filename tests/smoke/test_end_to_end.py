"""The real graph on a handful of conversations with a tiny model, once by `dvc repro` and once by the flow: same bytes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
TOPICS = ["trains", "bread", "rain", "chess", "tea", "boats"]
FOLLOW_UPS = ["Thank you so much, that helps a lot!", "No, that's not what I asked.", "You didn't answer my question."]


def conversations() -> list[dict[str, Any]]:
    """Thirty-six short conversations of twelve people, each with a reaction to the first reply."""
    talks = []
    for n in range(36):
        topic, reaction = TOPICS[n % 6], FOLLOW_UPS[n % 3]
        said = [
            f"Tell me something about {topic}, number {n}.",
            f"There is a lot to say about {TOPICS[(n + n % 2) % 6]} and its history.",
            reaction,
            f"Right: {topic} are better known since {1900 + n}.",
            f"And what of {topic} today?",
            "They are doing well.",
        ]
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        talks.append({"conversation_id": f"c{n:02}", "user_id": f"u{n % 12}", "model": "bot", "messages": messages})
    return talks


def tiny_params(model: Path) -> dict[str, Any]:
    """The shipped parameters, shrunk: byte tokens, few of everything, a log in the openai format."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["backbone"] = {"name": str(model), "dtype": "float32"}
    params["ingest"]["sources"] = [{"format": "openai", "path": "logs/*.jsonl"}]
    params["split"] = {"validation": 0.25, "test": 0.25, "test_from": None}
    params["intend"].update(conversations={"train": None, "validation": None, "test": None}, max_new_tokens=8)
    params["train_user"].update(max_length=400, max_tokens=4000, learning_rate=1e-3)
    params["augment"].update(max_replies=4, max_new_tokens=6)
    params["construct"].update(max_prompt_tokens=200, max_new_tokens=8)
    params["train_assistant"].update(max_length=300, gate_steps=150, gate_learning_rate=1e-2)
    params["train_reward"]["max_length"] = 300
    params["arms"]["drift"]["construct"]["max_pairs"] = 6
    params["arms"]["follow_up"]["construct"].update(prompts=4, k=2, phrases_per_dimension=1)
    params["simulate"].update(conversations=2, max_exchanges=2, user_tokens=6, assistant_tokens=6)
    params["evaluate"].update(conversations=4, contexts=3, max_length=400, max_new_tokens=6, resamples=50)
    return params


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Path:
    return tiny_checkpoint


def project(place: Path, model: Path) -> Path:
    """A fresh copy of the repository's graph in its own git and DVC repository."""
    for part in ("stages", "flows", "src", "dvc.yaml", ".dvcignore", ".gitignore", "report"):
        source = ROOT / part
        if part == "report" or not source.exists():
            continue
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, place / part)
    (place / "logs").mkdir()
    (place / "logs" / "log.jsonl").write_text("\n".join(map(json.dumps, conversations())) + "\n")
    (place / "params.yaml").write_text(yaml.safe_dump(tiny_params(model)))
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        run(place, *command)
    return place


def run(place: Path, *command: str) -> str:
    """Run a command in a project with this environment's programs; its output, or a failure that shows it."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{place / 'src'}{os.pathsep}{place}",
        "DVC_SITE_CACHE_DIR": str(place / ".site-cache"),
        "PREFECT_HOME": str(place / ".prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def digests(place: Path) -> dict[str, str]:
    """SHA-256 of every file the graph wrote."""
    written = [p for part in ("data", "models", "metrics", "plots", "report") for p in (place / part).rglob("*")]
    files = [p for p in written if p.is_file() and p.name != ".gitignore"]
    return {str(p.relative_to(place)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_dvc_and_the_flow_give_the_same_bytes(tmp_path: Path, model: Path) -> None:
    first, second = (project(place, model) for place in (tmp_path / "a", tmp_path / "b") if place.mkdir() is None)
    run(first, "dvc", "repro")
    assert "report" in run(second, sys.executable, "-m", "turnabout.cli", "run")
    by_dvc, by_flow = digests(first), digests(second)
    assert len(by_dvc) > 30
    assert {name for name in by_dvc.keys() | by_flow.keys() if by_dvc.get(name) != by_flow.get(name)} == set()
    user = json.loads((first / "metrics/user.json").read_text())
    assert user["bits_per_character"]["trained"]["with_intent"]["value"] > 0
    assert json.loads((first / "metrics/construct/drift.json").read_text())["n_kept"] > 0
    assert "nothing to do" in run(second, sys.executable, "-m", "turnabout.cli", "run")
