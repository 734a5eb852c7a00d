"""One user model that answers requests: a request in, the next turns of its user out, one request at a time.

A request is answered alone, never in a batch with others, so that its answer depends on itself and its seed alone.
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
from turnabout.serving.views import has_left, parse_situation
from turnabout.simulation.users import Situation, TrainedUser

#: Most tokens of a turn where the caller names no number; a person's message is rarely longer.
MAX_TOKENS = 256


class ServedTurn(NamedTuple):
    """One turn as the caller gets it; `finish` is OpenAI's finish reason."""

    text: str
    finish: str


class ServedAnswer(NamedTuple):
    """The turns drawn for one request, and the tokens read and written."""

    turns: list[ServedTurn]
    n_read: int
    n_written: int


class UserPlayer:
    """Plays the user. Where they leave, the turn's text ends with `marker`.

    Prompt and turn must fit `context` tokens; of a longer conversation than `max_prompt_tokens` the oldest messages are
    left out, or the request is refused where that is None.
    """

    def __init__(
        self,
        generator: Generator,
        chat: ChatFormat,
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
        """The user's next turn, drawn `n` times. Who has left stays away. Raises `Refused`."""
        request.check_fields()
        said = parse_situation(request.messages, request.model, self.marker)
        sampling = self._choose_sampling(request, said)
        said, n_read = self._fit_situation(said, sampling.max_new_tokens)
        n = request.n or 1
        if has_left(request.messages, request.model, self.marker):
            drawn = [Completion("", ended=True)] * n
        else:
            with self._one_at_a_time, hide_progress_bars():
                drawn = self.user.speak([said] * n, sampling)
        return ServedAnswer([self._finish_turn(each, request) for each in drawn], n_read, sum(map(self._count_tokens, drawn)))

    def _choose_sampling(self, request: ChatRequest, said: Situation) -> Sampling:
        """The caller's settings, ours for those not given; nobody leaves before they said anything."""
        return Sampling(
            max_new_tokens=request.max_completion_tokens or request.max_tokens or MAX_TOKENS,
            temperature=TEMPERATURE if request.temperature is None else request.temperature,
            top_p=TOP_P if request.top_p is None else request.top_p,
            seed=secrets.randbelow(2**31) if request.seed is None else abs(request.seed) % 2**63,
            may_end=any(message["role"] == "user" for message in said.history),
        )

    def _fit_situation(self, said: Situation, n_new: int) -> tuple[Situation, int]:
        """The situation without the oldest messages where those may go, and its tokens. Raises `Refused`."""
        prompt = _build_prompt(said)
        if self.max_prompt_tokens is not None:
            prompt = fit_prompt(self.chat, prompt, "user", self.max_prompt_tokens)
        n_read = len(self.chat.encode_prompt(prompt, "user"))
        if self.context_length is not None and n_read + n_new > self.context_length:
            raise RefusedRequest(
                f"{n_read} tokens came and up to {n_new} may be written, but the model's context is {self.context_length}; "
                "send less, lower max_tokens, or start the server with --max-prompt-tokens, which drops the oldest",
                "messages",
                "context_length_exceeded",
            )
        return Situation(said.intent, prompt[1:]), n_read

    def _finish_turn(self, drawn: Completion, request: ChatRequest) -> ServedTurn:
        """The text up to the first stop, and the marker where the person leaves (and only there)."""
        text = drawn.text.replace(self.marker, "")
        places = [place for stop in request.stop_texts if (place := text.find(stop)) >= 0]
        if places:
            return ServedTurn(text[: min(places)].rstrip(), "stop")
        if drawn.ended:
            return ServedTurn(text + self.marker, "stop")
        return ServedTurn(text, "length" if drawn.truncated else "stop")

    def _count_tokens(self, drawn: Completion) -> int:
        """Tokens written: the words, and the token that ended them where one did."""
        return len(self.chat.encode_completion(drawn.text)) - int(drawn.truncated)


def _build_prompt(said: Situation) -> list[Message]:
    return [{"role": "system", "content": said.intent}, *said.history]
