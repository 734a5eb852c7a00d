"""Every example against a served user: a script or a tiny random model."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.served_user import ask_twice_then_end, serve_player
from tests.source_tree import ROOT
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models import checkpoints
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.serving.user_player import UserPlayer
from turnabout.training.user_model.train import add_end_token

EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: Path) -> checkpoints.Checkpoint:
    return add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32"))


@pytest.fixture
def scripted_url(checkpoint: checkpoints.Checkpoint) -> Iterator[str]:
    with serve_player(UserPlayer(ScriptedGenerator(ask_twice_then_end), checkpoint.chat)) as url:
        yield url


def run(name: str, url: str, folder: Path, *options: str) -> str:
    """Run an example and return what it prints."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LANGSMITH_TRACING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, str(EXAMPLES / name), "--base-url", url, *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openai_example_talks_until_the_user_ends(scripted_url: str, tmp_path: Path) -> None:
    shown = run("talk_to_a_user.py", scripted_url, tmp_path).splitlines()
    assert shown == [
        "user: question 1?",
        "assistant: You said: question 1?",
        "user: question 2?",
        "assistant: You said: question 2?",
        f"user: thanks, bye{END_OF_CONVERSATION}",
    ]


def test_openai_example_talks_to_a_real_model(checkpoint: checkpoints.Checkpoint, tmp_path: Path) -> None:
    player = UserPlayer(
        LocalGenerator(checkpoint, "user", 4), checkpoint.chat, context_length=1024, max_prompt_tokens=512
    )
    with serve_player(player) as url:
        shown = run("talk_to_a_user.py", url, tmp_path, "--turns", "2")
    assert shown.startswith("user: ")


def test_mlflow_example_simulates_until_the_user_ends(scripted_url: str, tmp_path: Path) -> None:
    shown = run("mlflow_simulation.py", scripted_url, tmp_path)
    topics = [line.split(" about ")[1] for line in shown.splitlines() if " turns for: " in line]
    assert topics == ["trains.", "bread."]
    assert shown.count("3 turns for: ") == 2  # two questions, and the turn that ends the conversation


@pytest.mark.skipif(find_spec("openevals") is None, reason="openevals is not installed: no package of the project")
def test_openevals_example_simulates_until_the_user_ends(scripted_url: str, tmp_path: Path) -> None:
    shown = run("openevals_simulation.py", scripted_url, tmp_path).splitlines()
    assert [line for line in shown if line.startswith("user: ")] == [
        "user: question 1?",
        "user: question 2?",
        f"user: thanks, bye{END_OF_CONVERSATION}",
    ]
