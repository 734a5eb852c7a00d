"""The user model that answers requests with the next turns of its user.

Each request is generated alone, never in a batch with others, so that its answer depends only on itself and its seed.
"""

import secrets
from threading import Lock
from typing import NamedTuple

from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat
from turnabout.models.loading import TEMPERATURE, TOP_P, hide_progress_bars
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import ChatRequest
from turnabout.serving.truncation import fit_prompt
from turnabout.serving.views import has_ended, parse_situation
from turnabout.simulation.users import Situation, TrainedUser

#: Largest number of tokens of a turn if the request gives none; a person's message is rarely longer.
MAX_TOKENS = 256


class ServedTurn(NamedTuple):
    """One turn as the caller gets it; `finish` is OpenAI's finish reason."""

    text: str
    finish: str


class ServedAnswer(NamedTuple):
    """The turns generated for one request, and the numbers of tokens."""

    turns: list[ServedTurn]
    n_read: int
    """Tokens of the prompt."""
    n_written: int
    """Tokens of all turns together."""


class UserPlayer:
    """Plays the user with a user model.

    If the user ends the conversation, the text of the turn ends with `marker`. Prompt and turn must fit
    `context_length` tokens. If `max_prompt_tokens` is given, the oldest messages of longer prompts are left out;
    otherwise the request is refused.
    """

    def __init__(
        self,
        generator: Generator,
        chat: ChatFormat,
        *,
        context_length: int | None = None,
        max_prompt_tokens: int | None = None,
        marker: str = END_OF_CONVERSATION,
    ) -> None:
        self.user = TrainedUser(generator)
        self.chat = chat
        self.context_length = context_length
        self.max_prompt_tokens = max_prompt_tokens
        self.marker = marker
        self._one_at_a_time = Lock()

    def answer_request(self, request: ChatRequest) -> ServedAnswer:
        """Return `n` samples of the user's next turn.

        After the user has ended the conversation, every turn is the marker alone. Raises `RefusedRequest`.
        """
        request.check_fields()
        situation = parse_situation(request.messages, request.model, self.marker)
        sampling = self._choose_sampling(request, situation)
        situation, n_read = self._fit_situation(situation, sampling.max_new_tokens)
        n = request.n or 1
        if has_ended(request.messages, request.model, self.marker):
            completions = [Completion("", ended=True)] * n
        else:
            with self._one_at_a_time, hide_progress_bars():
                completions = self.user.speak([situation] * n, sampling)
        turns = [self._finish_turn(completion, request) for completion in completions]
        return ServedAnswer(turns, n_read, sum(map(self._count_tokens, completions)))

    def _choose_sampling(self, request: ChatRequest, situation: Situation) -> Sampling:
        """Return the caller's settings, with defaults for those not given.

        The user cannot end the conversation before their first turn.
        """
        return Sampling(
            max_new_tokens=request.max_completion_tokens or request.max_tokens or MAX_TOKENS,
            temperature=TEMPERATURE if request.temperature is None else request.temperature,
            top_p=TOP_P if request.top_p is None else request.top_p,
            seed=secrets.randbelow(2**31) if request.seed is None else abs(request.seed) % 2**63,
            may_end=any(message["role"] == "user" for message in situation.history),
        )

    def _fit_situation(self, situation: Situation, n_new: int) -> tuple[Situation, int]:
        """Return the situation and the number of its tokens.

        The oldest messages are left out if `max_prompt_tokens` is given. `n_new` is the largest number of new tokens.
        Raises `RefusedRequest` if the context is too short.
        """
        prompt = _build_prompt(situation)
        if self.max_prompt_tokens is not None:
            prompt = fit_prompt(self.chat, prompt, "user", self.max_prompt_tokens)
        n_read = len(self.chat.encode_prompt(prompt, "user"))
        if self.context_length is not None and n_read + n_new > self.context_length:
            raise RefusedRequest(
                f"the prompt has {n_read} tokens and the turn up to {n_new}, but the model's context is "
                f"{self.context_length}; send less, lower max_tokens, or start the server with --max-prompt-tokens, "
                "which drops the oldest messages",
                "messages",
                code="context_length_exceeded",
            )
        return Situation(situation.intent, prompt[1:]), n_read

    def _finish_turn(self, completion: Completion, request: ChatRequest) -> ServedTurn:
        """Cut the text at the first stop text, and add the marker if the user ends."""
        text = completion.text.replace(self.marker, "")
        positions = [text.find(stop) for stop in request.stop_texts if stop in text]
        if positions:
            return ServedTurn(text[: min(positions)].rstrip(), "stop")
        if completion.ended:
            return ServedTurn(text + self.marker, "stop")
        return ServedTurn(text, "length" if completion.truncated else "stop")

    def _count_tokens(self, completion: Completion) -> int:
        """Return the number of tokens written, with the token that ended the turn."""
        return len(self.chat.encode_completion(completion.text)) - int(completion.truncated)


def _build_prompt(situation: Situation) -> list[Message]:
    return [{"role": "system", "content": situation.intent}, *situation.history]
