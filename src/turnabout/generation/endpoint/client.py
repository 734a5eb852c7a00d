"""A client of an endpoint that retries failed calls.

It pauses all calls together where the server asks for that, and puts the key in no message.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from turnabout.errors import EndpointError
from turnabout.generation.endpoint.api_key import ApiKey
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.responses import (
    Refusal,
    Reply,
    TransientError,
    classify_error,
    extract_error,
    parse_reply,
    parse_retry_after,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

#: First and maximum wait before a prompt is sent again, in seconds; doubled each time, up to half of it is jitter.
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 60.0

#: Maximum `Retry-After`, in seconds, that a run waits for. Where a server asks for more, the run stops.
MAX_RETRY_AFTER_S = 600.0

#: Reason of a prompt that gets no answer while others do.
NO_ANSWER = "no answer"


class RunStopped(Exception):
    """Raised where the run stops: no further call is sent."""


class Clock:
    """Time as the client uses it.

    Tests replace it with `testing.ManualClock`, which does not wait.
    """

    def now(self) -> float:
        """Return the time in seconds since an arbitrary start."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, at the latest after `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


class EndpointClient:
    """A connection to the endpoint for the calls of one event loop.

    Set `stop` to send nothing more.
    """

    def __init__(self, settings: EndpointSettings, key: ApiKey, openai: "AsyncOpenAI", clock: Clock) -> None:
        self.settings = settings
        self.key = key
        self.openai = openai
        self.clock = clock
        self.stop = asyncio.Event()
        self.n_answered = 0
        self._paused_until = 0.0

    async def send(self, body: dict[str, Any]) -> Reply:
        """Return the reply to one call, which is sent again after a transient error.

        Raises `Refusal` where only this prompt gets no answer, and `EndpointError` where no prompt would get one. An
        error counts against the prompt, unless the server was overloaded and answered other prompts meanwhile.
        """
        n_errors, n_answered_at_start = 0, self.n_answered
        while True:
            n_answered_before = self.n_answered
            await self._wait_for_pause()
            try:
                reply = await self._send_once(body)
            except TransientError as error:
                n_errors += not (error.overloaded and self.n_answered > n_answered_before)
                if n_errors > self.settings.retries:
                    raise self._build_final_error(error, n_errors, self.n_answered > n_answered_at_start) from None
                if error.retry_after_s:
                    self._pause_all(error.retry_after_s)
                else:  # a wait of 0 s, or until a past date, would use up all retries at once
                    await self._wait(compute_backoff(n_errors))
            else:
                self.n_answered += 1
                return reply

    @property
    def label(self) -> str:
        """Model and address, for messages."""
        return f"'{self.settings.model}' at {self.settings.base_url}"

    async def _send_once(self, body: dict[str, Any]) -> Reply:
        """Send the call once.

        The client's errors hold the request with its key: ours are raised without a link to them.
        """
        import httpx2
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        failure: Exception
        try:
            async with asyncio.timeout(self.settings.timeout_s):  # the client's own limit is one for each part
                answer = await self.openai.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except (TimeoutError, APITimeoutError):
            failure = TransientError(f"no answer within {self.settings.timeout_s:g} s")
        except APIConnectionError as error:
            failure = TransientError(f"no connection, or a broken one ({type(error.__cause__).__name__})")
        except APIStatusError as error:
            retry_after_s = parse_retry_after(error.response.headers, datetime.now(UTC))
            failure = classify_error(extract_error(error, self.key.redact), retry_after_s, self.label)
        except OpenAIError as error:
            failure = EndpointError(f"{self.label}: the client fails with {type(error).__name__}")
        else:
            return parse_reply(self.key.redact_body(answer.content))
        raise failure

    def _build_final_error(self, error: TransientError, n_errors: int, others_answered: bool) -> Exception:
        if others_answered:
            return Refusal(NO_ANSWER)
        return EndpointError(f"{self.label} answers no prompt: {n_errors} attempts for one prompt, the last: {error}")

    def _pause_all(self, seconds: float) -> None:
        """Send no call for that long. Raises `EndpointError` where that is too long."""
        if seconds > MAX_RETRY_AFTER_S:
            raise EndpointError(f"{self.label} asks for no calls for {seconds:,.0f} s; run again then")
        self._paused_until = max(self._paused_until, self.clock.now() + seconds)

    async def _wait_for_pause(self) -> None:
        """Wait out `Retry-After`, with jitter.

        With jitter, calls do not all start at the same time.
        """
        await self._wait(0)
        while (remaining := self._paused_until - self.clock.now()) > 0:
            await self._wait(remaining * random.uniform(1.0, 1.25))

    async def _wait(self, seconds: float) -> None:
        """Wait that long. Raises `RunStopped` as soon as the run stops."""
        await self.clock.wait(self.stop, seconds)
        if self.stop.is_set():
            raise RunStopped


@asynccontextmanager
async def open_client(settings: EndpointSettings, key: ApiKey, clock: Clock) -> AsyncIterator[EndpointClient]:
    """Open a client, closed at the end of the block.

    The retries of the OpenAI library are off, because its calls know nothing of each other.
    """
    from openai import AsyncOpenAI

    async with AsyncOpenAI(
        api_key=key.reveal(), base_url=settings.base_url, timeout=settings.timeout_s, max_retries=0
    ) as client:
        yield EndpointClient(settings, key, client, clock)


def compute_backoff(n_errors: int) -> float:
    """Return the seconds before the next attempt after `n_errors` errors.

    Exponential, with jitter so that calls do not come at the same time.
    """
    return min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** max(0, n_errors - 1)) * random.uniform(0.5, 1.0)
