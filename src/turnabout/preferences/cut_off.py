"""Replies that were cut off at the token limit; they are never used."""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.generation import Completion, Generator, Sampling
from turnabout.generation.base import TurnScore

#: Drop reason of a pair with a reply that was cut off.
CUT_OFF = "cut off"


class CutOffCounter:
    """A generator that counts how many completions of another one were cut off."""

    def __init__(self, generator: Generator) -> None:
        self.name = generator.name
        self.generator = generator
        self.n_replies = 0
        self.n_cut_off = 0

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return the completions of the other generator and count them."""
        completions = self.generator.generate(prompts, sampling)
        self.n_replies += len(completions)
        self.n_cut_off += sum(completion.truncated for completion in completions)
        return completions

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the scores of the other generator."""
        return self.generator.score(prompts, turns)

    def check_share(self, max_share: float, max_new_tokens: int) -> None:
        """Raise `DataError` if more than `max_share` of the replies were cut off."""
        if self.n_replies and self.n_cut_off / self.n_replies > max_share:
            raise DataError(
                f"{self.n_cut_off} of {self.n_replies} replies were cut off at build_pairs.max_new_tokens: "
                f"{max_new_tokens}, more than build_pairs.max_cut_off: {max_share:g} allows; a reply that is cut off "
                "cannot be trained on, so raise max_new_tokens (or max_cut_off, to go on with fewer pairs)"
            )
