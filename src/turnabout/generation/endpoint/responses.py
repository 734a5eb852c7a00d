"""Responses of an endpoint: answers and errors.

Errors are transient, refusals of one prompt, or permanent.
"""

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

#: Reasons of a prompt that is refused for its length or for its content; other prompts may be answered.
TOO_LONG, CONTENT_REFUSED = "context too long", "content refused"

#: Matches the message of a server that refuses a prompt for its length without a code.
TOO_LONG_MESSAGE = re.compile(
    r"context.?(length|window|size)|max(imum)?.?(model.?len|context|.?sequence)|too (long|many tokens)", re.I
)

#: Maximum number of characters of a server's message that are repeated.
MAX_MESSAGE_CHARS = 300

#: Codes of status 429 that do not pass with time.
NO_MONEY_CODES = {"insufficient_quota", "billing_hard_limit_reached"}


class TransientError(Exception):
    """A call that failed for now.

    `retry_after_s`: how long the server asks to wait; `overloaded`: it is too busy. The message never repeats what the
    server wrote, which might be anything.
    """

    def __init__(self, message: str, retry_after_s: float | None = None, overloaded: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.overloaded = overloaded


class Refusal(Exception):
    """A prompt that the server will not answer.

    The message is the reason that is counted.
    """


class ChoiceMessage(msgspec.Struct):
    """The assistant's message of a choice."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    """One of the answers; calls ask for one only."""

    message: ChoiceMessage
    finish_reason: str | None = None


class TokenUsage(msgspec.Struct):
    """The tokens of a call, as the server counted them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Reply(msgspec.Struct):
    """The fields of a chat completion that are used.

    `prompt_logprobs` comes from servers that run vLLM.
    """

    choices: list[Choice] = msgspec.field(default_factory=list)
    usage: TokenUsage | None = None
    prompt_logprobs: list[dict[str, dict[str, Any]] | None] | None = None

    def get_usage(self) -> Usage | None:
        """Return what the call was charged for.

        None where the server does not count tokens.
        """
        usage = self.usage
        if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        return Usage(calls=1, input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens)


class ErrorBody(NamedTuple):
    """Status, code and message of an error response."""

    status: int
    code: str
    message: str


def parse_reply(body: bytes) -> Reply:
    """Return a whole reply with at least one choice.

    Raises `TransientError` for anything less: the body may have been cut on its way.
    """
    try:
        reply = msgspec.json.decode(body, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TransientError("an answer that cannot be read") from None
    if not reply.choices:
        raise TransientError("an answer without a choice")
    return reply


def extract_error(error: "APIStatusError", redact: Callable[[str], str]) -> ErrorBody:
    """Return status, code and message of an error response.

    `redact` removes a key from the server's texts.
    """
    body: Any = error.body
    fields = body if isinstance(body, Mapping) else {"message": body}
    message = fields.get("message") or fields.get("detail") or ""
    code = redact(str(fields.get("code") or fields.get("type") or ""))
    one_line = " ".join(redact(str(message)).split())
    return ErrorBody(error.status_code, code[:MAX_MESSAGE_CHARS], one_line[:MAX_MESSAGE_CHARS])


def classify_error(error: ErrorBody, retry_after_s: float | None, label: str) -> Exception:
    """Return the exception that an error response stands for.

    It is a `TransientError`, a `Refusal` or an `EndpointError`. `label` names model and address.
    """
    status, code, message = error
    if status in (401, 403):
        return EndpointError(f"{label} refuses the key (status {status}); check the variable named by `key`: {message}")
    if status == 404:
        return EndpointError(f"{label} does not exist (status 404); check `model` and `base_url`: {message}")
    if status == 429 and code in NO_MONEY_CODES:
        return EndpointError(f"{label} says that the account has no money left ({code}): {message}")
    if status in (408, 409, 425, 429) or status >= 500:
        return TransientError(f"status {status}", retry_after_s, overloaded=status == 429)
    if status == 413 or code == "context_length_exceeded" or TOO_LONG_MESSAGE.search(message):
        return Refusal(TOO_LONG)
    if code.startswith(("content_filter", "content_policy")):
        return Refusal(CONTENT_REFUSED)
    return EndpointError(f"{label} refuses the call (status {status}{f', {code}' if code else ''}): {message}")


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait that `Retry-After` asks for, or None.

    The header is a number or a date.
    """
    header = headers.get("retry-after", "")
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    if until.tzinfo is None:  # "-0000", or no time zone at all
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
