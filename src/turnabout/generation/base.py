"""The seam of every language model that writes or scores text, and the small nouns it speaks in."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypedDict


class Message(TypedDict):
    """One role's text, as chat templates know it."""

    role: str
    content: str


class Sampling(NamedTuple):
    """How to draw a completion. `temperature` 0 is greedy; `seed` makes the draw repeatable."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    no_end: bool = False
    """Forbid the end-of-conversation token (user models only)."""


class Completion(NamedTuple):
    """What a model wrote. `ended` is true where a user model chose to leave; `truncated` where it ran out of tokens."""

    text: str
    ended: bool = False
    truncated: bool = False


class Generator(Protocol):
    """A language model that speaks as one role.

    Implementations: `local.LocalGenerator` (transformers), `scripted.ScriptedGenerator` (the fake that ships).
    """

    name: str
    speaks: Literal["user", "assistant"]

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One completion per prompt, in order."""
        ...

    def score(self, prompts: Sequence[Sequence[Message]], completions: Sequence[Sequence[str]]) -> list[list[float]]:
        """Mean log-probability per token, in nats, of each completion as the next turn after its prompt."""
        ...
