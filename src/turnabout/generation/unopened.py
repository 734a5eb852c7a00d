"""A placeholder generator for methods that declared no need of a model."""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.generation.base import Completion, Sampling, TurnScore


class UnopenedGenerator:
    """A generator that answers nothing.

    Every call raises a `ConfigError` that explains the mistake.
    """

    name = "unopened"

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Raise `ConfigError`."""
        raise self._build_error()

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Raise `ConfigError`."""
        raise self._build_error()

    def _build_error(self) -> ConfigError:
        return ConfigError("no model is open here; a method that asks a model must name it in its `needs`")


UNOPENED = UnopenedGenerator()
