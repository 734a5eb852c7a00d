"""Protocol of every language model that writes text, and the types it uses."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from turnabout.core.messages import Message


class Sampling(NamedTuple):
    """How to draw a completion.

    `temperature` 0 is greedy; the same `seed` repeats the same draw.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    prefill: str = ""
    """Text that every completion begins with; it is part of the returned text."""
    may_end: bool = True
    """Whether a user model may end the conversation instead of answering."""
    schema: dict[str, Any] | None = None
    """JSON schema of the answer, for models that can be constrained to one; the caller checks the answer anyway."""


class Completion(NamedTuple):
    """One text that a model wrote.

    `ended`: a user model ended the conversation; `truncated`: the model reached `max_new_tokens`.
    """

    text: str
    ended: bool = False
    truncated: bool = False
    refused: str | None = None
    """Why there is no text, where an endpoint will not or cannot answer this prompt; a reason to be counted.
    Sending the same prompt again does not help."""


class TurnScore(NamedTuple):
    """Summed log-probability of a turn's tokens, in nats, and their number.

    The tokens are those of the text and the end-of-turn token.
    """

    logp: float
    n_tokens: int


class Generator(Protocol):
    """A language model that speaks as one role of a conversation.

    Implementations: `local.generator.LocalGenerator` (transformers), `vllm.engine.VLLMGenerator`,
    `endpoint.generator.RemoteGenerator` (an OpenAI-compatible endpoint) and `scripted.ScriptedGenerator` (a fake).
    """

    name: str

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return one completion per prompt, in order."""
        ...

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the score of each turn as the next one, shaped like `turns`.

        `turns` has the candidate turns of each prompt.
        """
        ...
