"""The seam of every language model that writes text, and the small nouns it speaks in."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypedDict


class Message(TypedDict):
    """One role's text, as chat templates know it."""

    role: str
    content: str


class Sampling(NamedTuple):
    """How to draw a completion. `temperature` 0 is greedy; the same `seed` repeats the same draw."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    prefill: str = ""
    """Words every completion begins with; part of the text that comes back."""
    may_end: bool = True
    """Whether a user model may leave the conversation instead of answering."""


class Completion(NamedTuple):
    """What a model wrote. `ended`: a user model chose to leave; `truncated`: it ran out of tokens."""

    text: str
    ended: bool = False
    truncated: bool = False


class Generator(Protocol):
    """A language model that speaks as one role of a conversation.

    Implementations: `local.LocalGenerator` (transformers) and `scripted.ScriptedGenerator` (the fake that ships).
    """

    name: str

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One completion per prompt, in order."""
        ...
