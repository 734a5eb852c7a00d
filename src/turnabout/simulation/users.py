"""Users of simulated conversations: trained, prompted or scripted."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import END_OF_CONVERSATION


class Situation(NamedTuple):
    """A conversation in which the user speaks next: intent and history."""

    intent: str
    history: list[Message]


class User(Protocol):
    """A user that speaks in many conversations at once."""

    name: str

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        """Return the next user turn of each conversation.

        `ended` is true where the user ends the conversation.
        """
        ...


class TrainedUser:
    """The user model: it reads the intent as system message, and the history."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.name = f"trained:{generator.name}"

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        """Return the next user turn of each conversation."""
        prompts: list[list[Message]] = [[{"role": "system", "content": s.intent}, *s.history] for s in situations]
        return self.generator.generate(prompts, sampling)


class PromptedUser:
    """An assistant that is prompted to act as the user.

    It reads the conversation with the roles exchanged, and ends it by writing the text of the end-of-conversation
    token. This is the baseline of Naous et al. 2025 (§4), which finds that better assistants make worse users.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.name = f"prompted:{generator.name}"

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        """Return the next user turn of each conversation, without the end text."""
        answers = self.generator.generate([build_acting_prompt(s) for s in situations], sampling)
        return [
            Completion(
                answer.text.split(END_OF_CONVERSATION)[0].strip(),
                ended=sampling.may_end and END_OF_CONVERSATION in answer.text,
            )
            for answer in answers
        ]


def build_acting_prompt(situation: Situation) -> list[Message]:
    """Build the messages that prompt an assistant to act as the user.

    The first two are the instruction and a start message; the history follows with the roles exchanged.
    """
    instruction = (
        f"{situation.intent} Write only your next message, short and as a person would type it. "
        f"When you have nothing more to say, write {END_OF_CONVERSATION}"
    )
    prompt: list[Message] = [
        {"role": "system", "content": instruction},
        {"role": "user", "content": "(conversation starts)"},
    ]
    exchanged_role = {"user": "assistant", "assistant": "user"}
    for message in situation.history:
        prompt.append({"role": exchanged_role[message["role"]], "content": message["content"]})
    return prompt


class ScriptedUser:
    """A user that writes the same lines in every conversation, then ends it."""

    name = "scripted"

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines

    def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
        """Return the line of each conversation's next user turn."""
        turns = []
        for situation in situations:
            n_spoken = sum(message["role"] == "user" for message in situation.history)
            has_line = n_spoken < len(self.lines)
            turns.append(Completion(self.lines[n_spoken]) if has_line else Completion("", ended=True))
        return turns
