"""A chat between a person and a model, turn by turn.

A model that plays the user opens the conversation; otherwise the person does.
"""

from typing import Literal

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import ChatFormat
from turnabout.models.loading import hide_progress_bars
from turnabout.serving.truncation import fit_prompt


class ChatSession:
    """The conversation so far, and the model that speaks as one of its sides.

    `role` is the side of the model, `sampling` its sampling settings. A user model has an `intent`, which says what its
    person wants; an assistant has none. The model reads the newest messages that fit `context_length` tokens together
    with the answer; None means no limit.
    """

    def __init__(
        self,
        generator: Generator,
        chat: ChatFormat,
        *,
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
        """Start a new conversation with this intent."""
        self.intent = intent
        self.history: list[Message] = []

    def add_message(self, text: str) -> None:
        """Add a message of the person to the conversation."""
        self.history.append({"role": "assistant" if self.role == "user" else "user", "content": text})

    def generate_turn(self) -> Completion:
        """Generate the model's next turn and add it to the conversation.

        The seed changes with every turn, so the same history gets different answers. A user never ends the conversation
        before their first turn. Raises `ModelError` if the newest message does not fit the model's context.
        """
        has_spoken = any(message["role"] == self.role for message in self.history)
        prompt = self._build_prompt()
        with hide_progress_bars():
            turn = self.generator.generate([prompt], self.sampling._replace(may_end=has_spoken))[0]
        self.sampling = self.sampling._replace(seed=self.sampling.seed + 1)
        if turn.text:
            self.history.append({"role": self.role, "content": turn.text})
        return turn

    def undo_last_turn(self) -> None:
        """Remove the last message if it is the model's."""
        if self.history and self.history[-1]["role"] == self.role:
            self.history.pop()

    def _build_prompt(self) -> list[Message]:
        prompt = list(self.history)
        if self.intent is not None:
            prompt.insert(0, {"role": "system", "content": self.intent})
        if self.context_length is None:
            return prompt
        max_prompt = self.context_length - self.sampling.max_new_tokens
        prompt = fit_prompt(self.chat, prompt, self.role, max_prompt)
        n_tokens = len(self.chat.encode_prompt(prompt, self.role))
        if n_tokens > max_prompt:
            raise ModelError(
                f"too long: the prompt has {n_tokens} tokens, but the model reads at most {max_prompt}; write less"
            )
        return prompt
