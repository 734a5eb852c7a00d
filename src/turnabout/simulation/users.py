"""Who plays the user in a simulated conversation: the trained user model, a prompted assistant, or a script."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import END_OF_CONVERSATION


class Situation(NamedTuple):
    """Where a conversation stands when its user speaks next: what they want and what was said so far."""

    intent: str
    history: list[Message]


class User(Protocol):
    """Speaks for the person in many conversations at once."""

    name: str

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        """The next user turn of each conversation; `ended` where the person leaves."""
        ...


class TrainedUser:
    """The user language model: the intent as system message, the history in its own roles."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.name = f"trained:{generator.name}"

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        prompts: list[list[Message]] = [[{"role": "system", "content": s.intent}, *s.history] for s in situations]
        return self.generator.generate(prompts, sampling)


class PromptedUser:
    """An assistant told to act as the user: roles exchanged, leaving by writing the end token out.

    The baseline of Naous et al. 2025 (§4), which finds that better assistants make worse users.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.name = f"prompted:{generator.name}"

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        answers = self.generator.generate([told_to_act(s) for s in situations], sampling)
        return [
            Completion(
                answer.text.split(END_OF_CONVERSATION)[0].strip(),
                ended=sampling.may_end and END_OF_CONVERSATION in answer.text,
            )
            for answer in answers
        ]


def told_to_act(situation: Situation) -> list[Message]:
    """The situation as an assistant is shown it: what to act, then the history message by message, roles exchanged."""
    told = (
        f"{situation.intent} Write only your next short message, as a person types it. "
        f"When you have nothing more to say, write {END_OF_CONVERSATION}"
    )
    exchanged = {"user": "assistant", "assistant": "user"}
    said: list[Message] = [{"role": exchanged[m["role"]], "content": m["content"]} for m in situation.history]
    start: list[Message] = [{"role": "system", "content": told}, {"role": "user", "content": "(conversation starts)"}]
    return [*start, *said]


class ScriptedUser:
    """Says the same lines in every conversation and leaves when they are used up."""

    name = "scripted"

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        said = [sum(m["role"] == "user" for m in s.history) for s in situations]
        return [Completion(self.lines[n]) if n < len(self.lines) else Completion("", ended=True) for n in said]
