"""How stages open models: with the project's answer store behind them, so that nothing is generated twice."""

from pathlib import Path
from typing import Literal

from turnabout import backbones
from turnabout.generation.local import LocalGenerator
from turnabout.generation.store import AnswerStore

ANSWERS = Path(".turnabout/answers.sqlite")


def open_generator(folder: Path, dtype: str, speaks: Literal["user", "assistant"], batch_size: int) -> LocalGenerator:
    """The model in a pipeline folder as a generator whose answers are kept on arrival."""
    checkpoint = backbones.load(folder, dtype)
    return LocalGenerator(
        checkpoint, speaks, batch_size, AnswerStore(ANSWERS, f"{backbones.fingerprint(folder)} {dtype}")
    )
