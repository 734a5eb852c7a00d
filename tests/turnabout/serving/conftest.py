"""A tiny random user model, and a player whose user follows a script."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.served_user import asks_twice_and_leaves
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.user_player import UserPlayer
from turnabout.training.user_model.train import save_user, add_end_token

Build = Callable[..., UserPlayer]


@pytest.fixture(scope="session")
def user_folder(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with the end-of-conversation token, as stage train_user writes it."""
    folder = tmp_path_factory.mktemp("models") / "user"
    save_user(add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32")), folder)
    return folder


@pytest.fixture(scope="session")
def user_model(user_folder: Path) -> Checkpoint:
    return checkpoints.load_checkpoint(user_folder, "float32")


@pytest.fixture
def scripted() -> ScriptedGenerator:
    """Asks two questions and leaves; keeps what it was asked."""
    return ScriptedGenerator(asks_twice_and_leaves)


@pytest.fixture
def player(scripted: ScriptedGenerator, user_model: Checkpoint) -> UserPlayer:
    return UserPlayer(scripted, user_model.chat)
