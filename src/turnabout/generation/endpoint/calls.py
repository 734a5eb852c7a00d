"""Many calls of one model, answered from the store or the endpoint.

Each answer of the endpoint is stored on arrival.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from turnabout.core.stage_output import print_warning
from turnabout.errors import BudgetExceeded, EndpointError
from turnabout.generation.budget import Usage
from turnabout.generation.endpoint.account import Account, Reservations
from turnabout.generation.endpoint.api_key import ApiKey
from turnabout.generation.endpoint.client import Clock, EndpointClient, RunStopped, open_client
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.responses import Refusal, Reply
from turnabout.generation.store import CallStore, StoredAnswer, hash_request

#: The JSON body of one call.
Body = dict[str, Any]


@dataclass
class FetchState:
    """Progress of one run.

    The calls still to send, the answers so far by key, and the errors that stop the run.
    """

    waiting: Iterator[tuple[str, Body]]
    answers: dict[str, Any]
    errors: list[EndpointError | BudgetExceeded] = field(default_factory=list)


class CachedCalls:
    """The calls of one model, in front of which stands the answer store.

    `clock` is replaced in tests only.
    """

    def __init__(self, settings: EndpointSettings, key: ApiKey, store: CallStore, clock: Clock | None = None) -> None:
        self.settings = settings
        self.key = key
        self.store = store
        self.clock = clock or Clock()
        self.account = Account(settings.budget, settings.price)
        self._charged: set[str] = set()

    def fetch_answers(self, bodies: Sequence[Body], extract: Callable[[Reply], Any]) -> list[Any | Refusal]:
        """Return the answer of each call, in order; equal calls are sent once.

        `extract` makes the answer, any JSON value, of a reply. A `Refusal` stands where there is no answer. Raises
        `BudgetExceeded` or `EndpointError` after every answer under way is stored.
        """
        keys = [hash_request([self.settings.base_url, body]) for body in bodies]
        requested = dict(zip(keys, bodies, strict=True))
        stored = self.store.get(list(requested))
        for key, answer in stored.items():
            self._charge(key, answer.usage)
        answers: dict[str, Any] = {key: answer.answer for key, answer in stored.items()}
        if missing := {key: body for key, body in requested.items() if key not in answers}:
            _run_to_completion(self._fetch(missing, extract, answers))
        return [answers[key] for key in keys]

    async def _fetch(
        self, missing: Mapping[str, Body], extract: Callable[[Reply], Any], answers: dict[str, Any]
    ) -> None:
        """Add the missing answers to `answers`."""
        state, n_stored = FetchState(iter(missing.items()), answers), len(answers)
        total = n_stored + len(missing)
        with tqdm(
            desc=f"{self.settings.model} writes", total=total, initial=n_stored, unit="call", disable=None
        ) as bar:
            async with open_client(self.settings, self.key, self.clock) as client:
                reservations = Reservations(self.account)
                n_workers = min(self.settings.concurrency, len(missing))
                workers = (self._work(client, reservations, state, extract, bar=bar) for _ in range(n_workers))
                await asyncio.gather(*workers)
        refusals = Counter(str(answer) for answer in answers.values() if isinstance(answer, Refusal))
        if refusals:
            counts = ", ".join(f"{reason} ({n})" for reason, n in sorted(refusals.items()))
            print_warning(f"no answer of {client.label} to {refusals.total()} prompts: {counts}")
        if state.errors:
            raise self._build_final_error(state.errors[0], len(answers) - refusals.total(), total)

    async def _work(
        self,
        client: EndpointClient,
        reservations: Reservations,
        state: FetchState,
        extract: Callable[[Reply], Any],
        *,
        bar: "tqdm[Any]",
    ) -> None:
        """Send waiting calls, until there are none or the run stops."""
        for key, body in state.waiting:
            try:
                async with reservations.hold(bound_usage(body)):
                    state.answers[key] = await self._call(client, key, body, extract)
            except Refusal as refusal:
                state.answers[key] = refusal
            except RunStopped:
                return
            except (EndpointError, BudgetExceeded) as error:
                state.errors.append(error)
                client.stop.set()
                return
            bar.set_postfix_str(self.account.describe(), refresh=False)
            bar.update()

    async def _call(self, client: EndpointClient, key: str, body: Body, extract: Callable[[Reply], Any]) -> Any:
        reply = await client.send(body)
        usage = reply.get_usage() or bound_usage(body)
        stored = self.store.put(key, StoredAnswer(extract(reply), usage))
        self._charge(key, usage)
        return stored.answer

    def _charge(self, key: str, usage: Usage) -> None:
        if key not in self._charged:
            self._charged.add(key)
            self.account.charge(usage)

    def _build_final_error(self, error: EndpointError | BudgetExceeded, n_stored: int, total: int) -> Exception:
        if isinstance(error, BudgetExceeded):
            error = BudgetExceeded(f"the budget of '{self.settings.model}' does not allow another call: {error}")
        stored = f"{n_stored} of these {total} answers are stored in {self.store.path} and will not be paid for again"
        remedy = "raise `budget` and run again" if isinstance(error, BudgetExceeded) else "fix it and run again"
        return type(error)(f"{error}. {stored}; {remedy}")


def _run_to_completion(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine to its end.

    In a new thread where this one already runs an event loop, as in a notebook.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


def bound_usage(body: Body) -> Usage:
    """Return the maximum usage of a call.

    A token is at least one byte of what is sent, and the answer has its own limit. A server that does not count tokens
    is assumed to have used the maximum.
    """
    limit = body.get("max_completion_tokens") or body["max_tokens"]
    n_bytes = len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))
    return Usage(calls=1, input_tokens=n_bytes, output_tokens=int(limit))
