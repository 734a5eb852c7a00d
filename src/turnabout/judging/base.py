"""The seam of every judge: two replies to one prompt in, what a judge is told about them out."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from turnabout.core.messages import Message
from turnabout.generation.base import Generator


class Duel(NamedTuple):
    """Two replies to one prompt. `checklist` is what this user wants of a reply, a wish each."""

    prompt: list[Message]
    a: str
    b: str
    checklist: tuple[str, ...] = ()

    def swapped(self) -> "Duel":
        """The same duel with the replies in the other order."""
        return self._replace(a=self.b, b=self.a)


class Judging(NamedTuple):
    """How to judge: which judge of `JUDGES`, and how its verdict is read.

    `scores` reads it from the probabilities of the two verdicts, for generators that score; `answers` from a JSON
    object the judge writes, with its reason first.
    """

    judge: Literal["plain", "checklist", "self_reference"] = "plain"
    by: Literal["scores", "answers"] = "scores"
    max_prompt_tokens: int = 1024
    """Of these, about, half are for the conversation (its end) and a quarter for each reply (its beginning)."""
    max_new_tokens: int = 256
    """Longest text a judge writes, in tokens: a JSON answer, a reply or a comparison of its own."""
    retries: int = 1
    """How often a duel is asked about again after an answer that cannot be used."""
    seed: int = 0


class Verdict(NamedTuple):
    """What a judge thinks of a duel, having seen both orders.

    `strength`, -1 to 1, is how much it prefers `a`: the mean over both orders. Where the orders disagree, or an answer
    cannot be used, nothing is preferred, and `reason` says why.
    """

    strength: float
    prefer: Literal["a", "b"] | None
    consistent: bool
    reason: str | None = None
    readable: bool = True
    """Whether both orders were answered in a way that could be read; elsewhere a strength of 0 means nothing."""


#: What a judge is told before it is asked for its verdict: a text per duel, its replies called A and B in their order.
Telling = Callable[[Generator, Sequence[Duel], Judging], list[str]]
