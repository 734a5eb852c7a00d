"""The fake generator that ships: answers from a script, so that code round a model is tested without one."""

from collections.abc import Callable, Sequence

from turnabout.generation.base import Completion, Message, Sampling


class ScriptedGenerator:
    """Answers every prompt with `script(messages)`; keeps all prompts it was given in `asked`."""

    name = "scripted"

    def __init__(self, script: Callable[[Sequence[Message]], str | Completion]) -> None:
        self.script = script
        self.asked: list[list[Message]] = []

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One scripted completion per prompt, in order; a plain string gets the prefill in front."""
        self.asked += [list(prompt) for prompt in prompts]
        answers = [self.script(prompt) for prompt in prompts]
        return [Completion(sampling.prefill + a) if isinstance(a, str) else a for a in answers]
