"""A fake generator that answers from a script.

It tests code around a model without one.
"""

from collections.abc import Callable, Sequence

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Sampling, TurnScore


def score_by_length(prompt: Sequence[Message], turn: str) -> float:
    """Return −1 nat for each word and for the end of the turn.

    The prompt has no influence.
    """
    return -1.0 - len(turn.split())


class ScriptedGenerator:
    """A generator that answers every prompt with `script(messages)`.

    It records all prompts in `prompts`. `likelihood(messages, turn)` is the log-probability of a turn, in nats.
    """

    name = "scripted"

    def __init__(
        self,
        script: Callable[[Sequence[Message]], str | Completion],
        likelihood: Callable[[Sequence[Message], str], float] = score_by_length,
    ) -> None:
        self.script = script
        self.likelihood = likelihood
        self.prompts: list[list[Message]] = []

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return one scripted completion per prompt, in order.

        A plain string gets the prefill in front.
        """
        self.prompts += [list(prompt) for prompt in prompts]
        answers = [self.script(prompt) for prompt in prompts]
        return [Completion(sampling.prefill + answer) if isinstance(answer, str) else answer for answer in answers]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the scripted score of each turn.

        A word is one token, and so is the end.
        """
        scores = []
        for prompt, prompt_turns in zip(prompts, turns, strict=True):
            scores.append([TurnScore(self.likelihood(prompt, turn), len(turn.split()) + 1) for turn in prompt_turns])
        return scores
