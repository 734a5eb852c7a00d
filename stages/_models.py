"""Models of the stages, opened with the project's answer store.

With the store, no answer is generated twice.
"""

from functools import cache
from pathlib import Path
from typing import Literal

from turnabout.generation import Generator
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.store import ANSWERS_FILE, AnswerStore
from turnabout.models import checkpoints


def open_checkpoint_generator(
    folder: Path, dtype: str, speaks: Literal["user", "assistant"], batch_size: int
) -> LocalGenerator:
    """Open the model in a pipeline folder as a generator with stored answers."""
    checkpoint = checkpoints.load_checkpoint(folder, dtype)
    store = AnswerStore(ANSWERS_FILE, f"{checkpoints.hash_folder(folder)} {dtype}")
    return LocalGenerator(checkpoint, speaks, batch_size, store)


def open_configured_model(config: ModelConfig, folder: Path, dtype: str, batch_size: int) -> Generator:
    """Open the model that answers a stage's questions.

    `folder` is the stage's own model. The same settings are opened once, so that they have one budget and their
    weights are loaded once.
    """
    context = OpenContext(model=folder.resolve(), dtype=dtype, batch_size=batch_size, answers=ANSWERS_FILE.resolve())
    return _open_once(config, context)


@cache
def _open_once(config: ModelConfig, context: OpenContext) -> Generator:
    return config.open(context)
