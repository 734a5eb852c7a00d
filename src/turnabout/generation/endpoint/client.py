"""Calls to an endpoint that survive its faults: tried again, held back together, the key in no message."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from turnabout.errors import EndpointError
from turnabout.generation.endpoint.api_key import Key
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.responses import Fault, Refusal, Reply, complaint_of, judged, read

if TYPE_CHECKING:
    from openai import AsyncOpenAI

#: First and longest wait before a prompt is sent again, in seconds: doubled each time, up to half of it drawn by lot.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0

#: A server that asks to be left alone for longer is taken at its word: the run stops and can be started again.
MOST_PATIENCE_S = 600.0

#: Reason of a prompt that gets no answer while others do.
NO_ANSWER = "no answer"


class Over(Exception):
    """The run ends; nothing more is sent."""


class Line:
    """A line to the endpoint, for the calls of one event loop. Set `over` to let nothing more be sent."""

    def __init__(self, settings: EndpointSettings, key: Key, client: "AsyncOpenAI") -> None:
        self.settings = settings
        self.key = key
        self.client = client
        self.over = asyncio.Event()
        self.n_answered = 0
        self._silent_until = 0.0

    async def ask(self, body: dict[str, Any]) -> Reply:
        """The reply to one call. Raises `Refusal` where only this prompt gets none, `EndpointError` where none would.

        A fault counts against the prompt, unless the server had too much to do and answered others in the meantime.
        """
        n_faults, at_first = 0, self.n_answered
        while True:
            before = self.n_answered
            await self._silence()
            try:
                reply = await self._send(body)
            except Fault as fault:
                n_faults += not (fault.crowded and self.n_answered > before)
                if n_faults > self.settings.retries:
                    raise self._given_up(fault, n_faults, self.n_answered > at_first) from None
                if fault.wait_s:
                    self._hold_back(fault.wait_s)
                else:  # a wait of 0 s, or until a date gone by, would use up all tries at once
                    await self._rest(waiting_s(n_faults))
            else:
                self.n_answered += 1
                return reply

    @property
    def where(self) -> str:
        """Model and address, for messages."""
        return f"'{self.settings.model}' at {self.settings.base_url}"

    async def _send(self, body: dict[str, Any]) -> Reply:
        """One try. The client's errors hold the request with its key: ours are raised without a link to them."""
        import httpx2
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        problem: Exception
        try:
            async with asyncio.timeout(self.settings.timeout_s):  # the client's own limit is one for each piece
                answer = await self.client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except (TimeoutError, APITimeoutError):
            problem = Fault(f"no answer within {self.settings.timeout_s:g} s")
        except APIConnectionError as error:
            problem = Fault(f"no connection, or a broken one ({type(error.__cause__).__name__})")
        except APIStatusError as error:
            problem = judged(complaint_of(error, self.key.cut_from), error.response.headers, self.where)
        except OpenAIError as error:
            problem = EndpointError(f"{self.where}: the client fails with {type(error).__name__}")
        else:
            return read(self.key.cut_from_answer(answer.content))
        raise problem

    def _given_up(self, fault: Fault, n_faults: int, others_answered: bool) -> Exception:
        if others_answered:
            return Refusal(NO_ANSWER)
        return EndpointError(f"{self.where} answers nobody: {n_faults} tries for one prompt, the last: {fault}")

    def _hold_back(self, seconds: float) -> None:
        """Let no call be made for so long."""
        if seconds > MOST_PATIENCE_S:
            raise EndpointError(f"{self.where} asks to be left alone for {seconds:,.0f} s; run again then")
        self._silent_until = max(self._silent_until, asyncio.get_running_loop().time() + seconds)

    async def _silence(self) -> None:
        """Wait until the server wants to hear of us again, and not all to the same moment."""
        await self._rest(0)
        while (left := self._silent_until - asyncio.get_running_loop().time()) > 0:
            await self._rest(left * random.uniform(1.0, 1.25))

    async def _rest(self, seconds: float) -> None:
        """Wait so long. Raises `Over` as soon as the run ends."""
        with suppress(TimeoutError):
            if not self.over.is_set():
                await asyncio.wait_for(self.over.wait(), seconds)
            raise Over


@asynccontextmanager
async def line(settings: EndpointSettings, key: Key) -> AsyncIterator[Line]:
    """A line to the endpoint, closed in the end. The client's own retries are off: they know nothing of each other."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(
        api_key=key.reveal(), base_url=settings.base_url, timeout=settings.timeout_s, max_retries=0
    ) as client:
        yield Line(settings, key, client)


def waiting_s(n_faults: int) -> float:
    """Seconds before the next try after so many faults: exponential, with jitter so that calls do not come at once."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** max(0, n_faults - 1)) * random.uniform(0.5, 1.0)
