"""The interface of every judge: comparisons of two replies in, prompts out."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from turnabout.core.messages import Message
from turnabout.generation.base import Generator
from turnabout.judging.choice import ChoiceOptions


class Comparison(NamedTuple):
    """Two replies to one prompt.

    `checklist` holds what this user wants of a reply, one preference per entry.
    """

    prompt: list[Message]
    a: str
    b: str
    checklist: tuple[str, ...] = ()

    def swap_replies(self) -> "Comparison":
        """Return the same comparison with the replies in the other order."""
        return self._replace(a=self.b, b=self.a)


class JudgeOptions(NamedTuple):
    """Settings of a judge: which one of `JUDGES`, and how its verdict is read.

    `scores` reads the verdict from the probabilities of A and B, for generators that score. `answers` reads it from a
    JSON object that the judge writes, with its reason first.
    """

    judge: Literal["plain", "checklist", "self_reference"] = "plain"
    by: Literal["scores", "answers"] = "scores"
    max_prompt_tokens: int = 1024
    """About half of them are for the conversation (its end) and a quarter for each reply (its beginning)."""
    max_new_tokens: int = 256
    """Longest text that a judge writes, in tokens: a JSON answer, a reply or a comparison of its own."""
    retries: int = 1
    """How often a comparison is asked about again after an answer that cannot be used."""
    seed: int = 0

    @property
    def choice_options(self) -> ChoiceOptions:
        """The settings with which the verdict itself is asked for."""
        return ChoiceOptions(by=self.by, max_new_tokens=self.max_new_tokens, retries=self.retries, seed=self.seed)


class Verdict(NamedTuple):
    """A judge's verdict on a comparison, after it has seen both orders.

    `strength`, -1 to 1, is how much the judge prefers `a`: the mean over both orders. Where the orders disagree, or an
    answer cannot be used, neither reply is preferred, and `reason` says why.
    """

    strength: float
    prefer: Literal["a", "b"] | None
    consistent: bool
    reason: str | None = None
    readable: bool = True
    """Whether the answers in both orders could be read; if not, the strength of 0 means nothing."""


#: Builds what a judge reads before its verdict is asked for: a text per comparison, with the replies called A and B in
#: their order.
PromptBuilder = Callable[[Generator, Sequence[Comparison], JudgeOptions], list[str]]
