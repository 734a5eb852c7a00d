"""The fake generator that ships: answers from a script, so that code round a model is tested without one."""

from collections.abc import Callable, Sequence

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Sampling, Scored


def indifferent(prompt: Sequence[Message], turn: str) -> float:
    """One nat for each word and for the end of the turn, whatever was said before."""
    return -1.0 - len(turn.split())


class ScriptedGenerator:
    """Answers every prompt with `script(messages)`; keeps all prompts it was given to answer in `asked`.

    `likelihood(messages, turn)` is the log-probability, in nats, that it gives a turn.
    """

    name = "scripted"

    def __init__(
        self,
        script: Callable[[Sequence[Message]], str | Completion],
        likelihood: Callable[[Sequence[Message], str], float] = indifferent,
    ) -> None:
        self.script = script
        self.likelihood = likelihood
        self.asked: list[list[Message]] = []

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One scripted completion per prompt, in order; a plain string gets the prefill in front."""
        self.asked += [list(prompt) for prompt in prompts]
        answers = [self.script(prompt) for prompt in prompts]
        return [Completion(sampling.prefill + a) if isinstance(a, str) else a for a in answers]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[Scored]]:
        """For each prompt, the scripted likelihood of each of its `turns`; a word is a token, so is the end."""
        return [
            [Scored(self.likelihood(prompt, turn), len(turn.split()) + 1) for turn in of_prompt]
            for prompt, of_prompt in zip(prompts, turns, strict=True)
        ]
