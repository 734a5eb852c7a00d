"""The seam of every language model that writes text, and the small nouns it speaks in."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from turnabout.core.messages import Message


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
    schema: dict[str, Any] | None = None
    """JSON schema of the answer, for models that can be held to one; who asked checks the answer all the same."""


class Completion(NamedTuple):
    """What a model wrote. `ended`: a user model chose to leave; `truncated`: it ran out of tokens."""

    text: str
    ended: bool = False
    truncated: bool = False
    refused: str | None = None
    """Why there are no words at all, where an endpoint will not or cannot answer this prompt; a reason to be counted.
    Asking the same again does not help."""


class Scored(NamedTuple):
    """How likely a model finds a given turn: the summed log-probability of its tokens, in nats, and their number.

    The tokens are those of the words and of the end of the turn.
    """

    logp: float
    tokens: int


class Generator(Protocol):
    """A language model that speaks as one role of a conversation.

    Implementations: `local.LocalGenerator` (transformers), `vllm_engine.VLLMGenerator`, `remote.RemoteGenerator` (an
    endpoint) and `scripted.ScriptedGenerator` (the fake that ships).
    """

    name: str

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One completion per prompt, in order."""
        ...

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[Scored]]:
        """For each prompt, how likely each of its `turns` is as the next one, shaped like `turns`."""
        ...
