"""The real graph on a few conversations with a tiny model.

It runs twice: stage by stage in one process, and by the flow.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.smoke.graph import create_project, read_metrics, run_stages_in_process
from tests.smoke.text_search import find_files_with_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOPICS = ["trains", "bread", "rain", "chess", "tea", "boats"]
REACTIONS = ["Thank you so much, that helps a lot!", "No, that's not what I asked.", "You didn't answer my question."]

#: A name that only two people write: u1, who is in the test split, and u5, who is in the train split.
RARE_NAME = "Zanzibar"


def build_conversations() -> list[dict[str, Any]]:
    """Return 36 short conversations of twelve people.

    Each has a reaction to the first reply.
    """
    conversations = []
    for n in range(36):
        topic = TOPICS[n % 6]
        texts = [
            f"Tell me something about {topic} {f'in {RARE_NAME}' if n % 12 in (1, 5) else 'here'}, number {n}.",
            f"There is a lot to say about {TOPICS[(n + 1) % 6]} and its history.",
            REACTIONS[n % 3],
            f"Right: {topic} are better known since {1900 + n}.",
            f"And what of {topic} today?",
            "They are doing well.",
        ]
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
        conversations.append(
            {"conversation_id": f"c{n:02}", "user_id": f"u{n % 12}", "model": "bot", "messages": messages}
        )
    return conversations


def run_command(project: Path, *command: str) -> str:
    """Run a command in a project and return its output, or fail with its end.

    The command uses the programs of this environment.
    """
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{project / 'src'}{os.pathsep}{project}",
        "DVC_SITE_CACHE_DIR": str(project / ".site-cache"),
        "PREFECT_HOME": str(project / ".prefect"),
    }
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def hash_outputs(project: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the graph wrote."""
    files: list[Path] = []
    for part in ("data", "models", "metrics", "plots", "report"):
        files += [path for path in (project / part).rglob("*") if path.is_file() and path.name != ".gitignore"]
    return {str(p.relative_to(project)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class FlowRun(NamedTuple):
    """A project after one run of the flow: output and digests of its files."""

    project: Path
    output: str
    digests: dict[str, str]


@pytest.fixture(scope="module")
def flow_run(tmp_path_factory: pytest.TempPathFactory, stopping_checkpoint: Path) -> FlowRun:
    folder = tmp_path_factory.mktemp("flow") / "project"
    project = create_project(folder, stopping_checkpoint, build_conversations())
    output = run_command(project, "turnabout", "run")
    return FlowRun(project, output, hash_outputs(project))


def test_flow_writes_the_same_bytes_as_the_stages_alone(
    flow_run: FlowRun, tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = create_project(tmp_path / "alone", stopping_checkpoint, build_conversations())
    run_stages_in_process(project, monkeypatch)
    assert "feedback mined" in flow_run.output
    alone, by_flow = hash_outputs(project), flow_run.digests
    assert len(alone) > 30
    assert {name for name in alone.keys() | by_flow.keys() if alone.get(name) != by_flow.get(name)} == set()
    assert read_metrics(project, "build_pairs/drift")["n_kept"] > 0
    assert read_metrics(project, "user")["bits_per_character"]["trained"]["with_intent"]["value"] > 0


def test_forget_leaves_no_text_of_a_person_in_any_file(flow_run: FlowRun) -> None:
    project = flow_run.project
    assert "nothing to do" in run_command(project, "turnabout", "run")
    run_command(project, "turnabout", "label", "--csv")
    known = find_files_with_text(RARE_NAME, project)
    assert {"labels/to_label.csv", "data/messages/part-00.parquet"} <= known
    assert len([name for name in known if name.startswith(".dvc/cache/")]) > 5
    assert "u5: 3 conversations" in run_command(project, "turnabout", "forget", "u1", "u5")
    assert "forgotten people: " in run_command(project, "turnabout", "run")
    assert find_files_with_text(RARE_NAME, project) == set()
    assert read_metrics(project, "ingest")["n_conversations"] == 30
    assert "nothing to do" in run_command(project, "turnabout", "run")
