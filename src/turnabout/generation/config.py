"""The seam of every author: settings of `params.yaml` that say who answers a stage's questions, and open it."""

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple

from turnabout.core.config import Section
from turnabout.generation.base import Generator
from turnabout.generation.budget import Budget, Price


class Desk(NamedTuple):
    """What a stage has at hand for its author: its own model, how to open it, and the store of answers."""

    model: Path
    """Folder of the stage's model (`--model`)."""
    dtype: str
    batch_size: int
    answers: Path
    """SQLite file of the project's answers."""


class Author(Section):
    """Who answers. `generator` is the key in `params.yaml`, and the file of `generation` that does the work.

    Settings only: whatever is heavy is imported by `open`.
    """

    generator: str

    @abstractmethod
    def open(self, desk: Desk) -> Generator:
        """The generator, writing as the assistant. Raises `ConfigError` or `ModelError` where it cannot be had."""

    def rates(self) -> Price | None:
        """What a token costs; None where nothing is paid by the token."""
        return None

    def allowance(self) -> Budget | None:
        """What one stage may spend; None where nothing is counted."""
        return None
