"""Nobody: stands where a model was not asked for, so that using it by mistake is told and not a crash."""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.generation.base import Completion, Sampling, Scored


class Nobody:
    """A generator that answers nothing: every call is a `ConfigError`."""

    name = "nobody"

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        raise self._fault()

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[Scored]]:
        raise self._fault()

    def _fault(self) -> ConfigError:
        return ConfigError("no model was opened here; a method that asks one must name it in its `needs`")


NOBODY = Nobody()
