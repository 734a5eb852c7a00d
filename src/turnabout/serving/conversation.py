"""A talk between a person and a model, turn by turn: the model opens where it plays the user, the person otherwise."""

from typing import Literal

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import ChatFormat
from turnabout.models.loading import without_bars
from turnabout.serving.truncation import fitting


class Talk:
    """The conversation so far, and the model that speaks as one of its sides.

    `intent` is what the person of a user model wants; an assistant has none. Both see the newest messages that fit
    `context` tokens with the answer.
    """

    def __init__(
        self,
        generator: Generator,
        chat: ChatFormat,
        speaks: Literal["user", "assistant"],
        sampling: Sampling,
        context: int | None,
        intent: str | None = None,
    ) -> None:
        self.generator = generator
        self.chat = chat
        self.speaks = speaks
        self.sampling = sampling
        self.context = context
        self.begin(intent)

    def begin(self, intent: str | None) -> None:
        """Start over, for an intent."""
        self.intent = intent
        self.history: list[Message] = []

    def hear(self, text: str) -> None:
        """Take down what the person said."""
        self.history.append({"role": "assistant" if self.speaks == "user" else "user", "content": text})

    def answer(self) -> Completion:
        """The model's next turn; the same history is answered differently every time.

        A user never leaves before they said anything. Raises `ModelError` for a message beyond the model's context.
        """
        has_spoken = any(message["role"] == self.speaks for message in self.history)
        prompt = self._prompt()
        with without_bars():
            drawn = self.generator.generate([prompt], self.sampling._replace(may_end=has_spoken))[0]
        self.sampling = self.sampling._replace(seed=self.sampling.seed + 1)
        if drawn.text:
            self.history.append({"role": self.speaks, "content": drawn.text})
        return drawn

    def take_back(self) -> None:
        """Forget the model's last turn, where it has the last word."""
        if self.history and self.history[-1]["role"] == self.speaks:
            self.history.pop()

    def _prompt(self) -> list[Message]:
        told: list[Message] = [{"role": "system", "content": self.intent}] if self.intent is not None else []
        prompt = [*told, *self.history]
        if self.context is None:
            return prompt
        room = self.context - self.sampling.max_new_tokens
        prompt = fitting(self.chat, prompt, self.speaks, room)
        if (n := len(self.chat.prompt_ids(prompt, self.speaks))) > room:
            raise ModelError(f"too long: {n} tokens, and the model reads {room}; say it shorter")
        return prompt
