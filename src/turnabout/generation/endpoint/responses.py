"""What an endpoint sent back, read: an answer, a fault that may pass, a refusal of one prompt, or of all."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from turnabout.errors import EndpointError
from turnabout.generation.budget import Usage

if TYPE_CHECKING:
    from openai import APIStatusError

#: A prompt that is refused for its length or for what it says; other prompts may be answered.
TOO_LONG, UNWANTED = "context too long", "content refused"

#: How servers say that a prompt is too long, where no code does.
LONG = re.compile(
    r"context.?(length|window|size)|max(imum)?.?(model.?len|context|.?sequence)|too (long|many tokens)", re.I
)

#: Characters of a server's message that are repeated.
MESSAGE = 300

#: Codes of 429 that no waiting mends.
NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached"}


class Fault(Exception):
    """A call that failed for now. `wait_s`: how long the server asks to be left alone; `crowded`: it is too busy.

    The message never repeats what the server said, which might be anything.
    """

    def __init__(self, told: str, wait_s: float | None = None, crowded: bool = False) -> None:
        super().__init__(told)
        self.wait_s = wait_s
        self.crowded = crowded


class Refusal(Exception):
    """A prompt that the server will not answer; the message is the reason that is counted."""


class Told(msgspec.Struct):
    """The assistant's message of a choice."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    """One of the answers; only the first is asked for."""

    message: Told
    finish_reason: str | None = None


class Charged(msgspec.Struct):
    """The tokens of a call, as the server counted them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Reply(msgspec.Struct):
    """The parts of a chat completion that are used. `prompt_logprobs` comes from servers that run vLLM."""

    choices: list[Choice] = msgspec.field(default_factory=list)
    usage: Charged | None = None
    prompt_logprobs: list[dict[str, dict[str, Any]] | None] | None = None

    def cost(self) -> Usage | None:
        """What the call was charged for, or None where the server does not count."""
        came = self.usage
        if came is None or came.prompt_tokens is None or came.completion_tokens is None:
            return None
        return Usage(1, came.prompt_tokens, came.completion_tokens)


class Complaint(NamedTuple):
    """What a server says about a call it did not answer."""

    status: int
    code: str
    message: str


def read(body: bytes) -> Reply:
    """A whole answer with at least one choice. Raises `Fault` for anything less: it may have been cut on its way."""
    try:
        reply = msgspec.json.decode(body, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault("an answer that cannot be read") from None
    if not reply.choices:
        raise Fault("an answer without a choice")
    return reply


def complaint_of(error: "APIStatusError", cleaned: Callable[[str], str]) -> Complaint:
    """Status, code and message of an error answer, whatever its body is; `cleaned` takes a key out of its words."""
    said: Any = error.body
    found = said if isinstance(said, Mapping) else {"message": said}
    message = found.get("message") or found.get("detail") or ""
    code = cleaned(str(found.get("code") or found.get("type") or ""))
    return Complaint(error.status_code, code[:MESSAGE], " ".join(cleaned(str(message)).split())[:MESSAGE])


def judged(complaint: Complaint, headers: Mapping[str, str], where: str) -> Exception:
    """The `Fault`, `Refusal` or `EndpointError` that a complaint comes to; `where` names model and address."""
    status, code, message = complaint
    if status in (401, 403):
        return EndpointError(f"{where} refuses the key (status {status}); check the variable named by `key`: {message}")
    if status == 404:
        return EndpointError(f"{where} is not there (status 404); check `model` and `base_url`: {message}")
    if status == 429 and code in NO_MONEY:
        return EndpointError(f"{where} says that the account has no money left ({code}): {message}")
    if status in (408, 409, 425, 429) or status >= 500:
        return Fault(f"status {status}", asked_wait(headers), crowded=status == 429)
    if status == 413 or code == "context_length_exceeded" or LONG.search(message):
        return Refusal(TOO_LONG)
    if code.startswith(("content_filter", "content_policy")):
        return Refusal(UNWANTED)
    return EndpointError(f"{where} refuses the call (status {status}{f', {code}' if code else ''}): {message}")


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` (a number or a date) asks to wait, or None."""
    came = headers.get("retry-after", "")
    try:
        return max(0.0, float(came))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(came)
    except ValueError:
        return None
    if until.tzinfo is None:  # "-0000", or no zone at all
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
