"""How stages open models: with the project's answer store behind them, so that nothing is generated twice."""

from functools import cache
from pathlib import Path
from typing import Literal

from turnabout.generation import Generator
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.store import AnswerStore
from turnabout.models import checkpoints

ANSWERS = Path(".turnabout/answers.sqlite")


def open_checkpoint_generator(folder: Path, dtype: str, speaks: Literal["user", "assistant"], batch_size: int) -> LocalGenerator:
    """The model in a pipeline folder as a generator whose answers are kept on arrival."""
    checkpoint = checkpoints.load_checkpoint(folder, dtype)
    return LocalGenerator(
        checkpoint, speaks, batch_size, AnswerStore(ANSWERS, f"{checkpoints.hash_folder(folder)} {dtype}")
    )


def open_configured_model(config: ModelConfig, folder: Path, dtype: str, batch_size: int) -> Generator:
    """Who answers a stage's questions, as `params.yaml` says; `folder` holds the stage's own model.

    The same author is opened once: it has one budget, and its weights are loaded once.
    """
    return _opened(config, OpenContext(folder.resolve(), dtype, batch_size, ANSWERS.resolve()))


@cache
def _opened(author: ModelConfig, desk: OpenContext) -> Generator:
    return author.open(desk)
