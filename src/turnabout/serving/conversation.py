"""A talk between a person and a model, turn by turn: the model opens where it plays the user, the person otherwise."""

from typing import Literal

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import ChatFormat
from turnabout.models.loading import hide_progress_bars
from turnabout.serving.truncation import fit_prompt


class ChatSession:
    """The conversation so far, and the model that speaks as one of its sides.

    `intent` is what the person of a user model wants; an assistant has none. Both see the newest messages that fit
    `context` tokens with the answer.
    """

    def __init__(
        self,
        generator: Generator,
        chat: ChatFormat,
        role: Literal["user", "assistant"],
        sampling: Sampling,
        context_length: int | None,
        intent: str | None = None,
    ) -> None:
        self.generator = generator
        self.chat = chat
        self.role = role
        self.sampling = sampling
        self.context_length = context_length
        self.restart(intent)

    def restart(self, intent: str | None) -> None:
        """Start over, for an intent."""
        self.intent = intent
        self.history: list[Message] = []

    def add_message(self, text: str) -> None:
        """Take down what the person said."""
        self.history.append({"role": "assistant" if self.role == "user" else "user", "content": text})

    def generate_turn(self) -> Completion:
        """The model's next turn; the same history is answered differently every time.

        A user never leaves before they said anything. Raises `ModelError` for a message beyond the model's context.
        """
        has_spoken = any(message["role"] == self.role for message in self.history)
        prompt = self._build_prompt()
        with hide_progress_bars():
            drawn = self.generator.generate([prompt], self.sampling._replace(may_end=has_spoken))[0]
        self.sampling = self.sampling._replace(seed=self.sampling.seed + 1)
        if drawn.text:
            self.history.append({"role": self.role, "content": drawn.text})
        return drawn

    def undo_last_turn(self) -> None:
        """Forget the model's last turn, where it has the last word."""
        if self.history and self.history[-1]["role"] == self.role:
            self.history.pop()

    def _build_prompt(self) -> list[Message]:
        told: list[Message] = [{"role": "system", "content": self.intent}] if self.intent is not None else []
        prompt = [*told, *self.history]
        if self.context_length is None:
            return prompt
        room = self.context_length - self.sampling.max_new_tokens
        prompt = fit_prompt(self.chat, prompt, self.role, room)
        if (n := len(self.chat.encode_prompt(prompt, self.role))) > room:
            raise ModelError(f"too long: {n} tokens, and the model reads {room}; say it shorter")
        return prompt
