"""Base class of the settings that name a model and open it."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple

from turnabout.core.config import Section
from turnabout.generation.base import Generator
from turnabout.generation.budget import Budget, Price


class OpenContext(NamedTuple):
    """What a stage provides to open a model.

    Its own model, how to load that, and the answer store.
    """

    model: Path
    """Folder of the stage's model (`--model`)."""
    dtype: str
    batch_size: int
    answers: Path
    """SQLite file of the project's answers."""


class ModelConfig(Section):
    """Settings of the model that answers; `backend` selects the class.

    Settings only: `open` imports the heavy libraries.
    """

    renamed_keys: ClassVar = {"generator": "backend"}

    backend: str

    @abstractmethod
    def open(self, context: OpenContext) -> Generator:
        """Return the generator, which writes as the assistant.

        Raises `ConfigError` or `ModelError` where the model cannot be opened.
        """

    def get_price(self) -> Price | None:
        """Return the price of the tokens, or None where tokens cost nothing."""
        return None

    def get_budget(self) -> Budget | None:
        """Return the budget of one stage, or None where nothing is counted."""
        return None
