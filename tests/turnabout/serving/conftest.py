"""Fixtures: a tiny random user model, and a player with a scripted user."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.served_user import ask_twice_then_end
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.user_player import UserPlayer

Build = Callable[..., UserPlayer]


@pytest.fixture(scope="session")
def user_model(user_folder: Path) -> Checkpoint:
    return checkpoints.load_checkpoint(user_folder, "float32")


@pytest.fixture
def scripted() -> ScriptedGenerator:
    """Return a generator that asks two questions and ends; it keeps its prompts."""
    return ScriptedGenerator(ask_twice_then_end)


@pytest.fixture
def player(scripted: ScriptedGenerator, user_model: Checkpoint) -> UserPlayer:
    return UserPlayer(scripted, user_model.chat)
