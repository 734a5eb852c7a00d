"""Many calls of one author: from the store where it has them, else from the endpoint, each kept as it comes."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from turnabout.errors import BudgetSpent, EndpointError
from turnabout.generation.budget import Usage
from turnabout.generation.endpoint.account import Account, Reservations
from turnabout.generation.endpoint.api_key import Key
from turnabout.generation.endpoint.client import Line, Over, line
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.responses import Refusal, Reply
from turnabout.generation.store import CallStore, Kept, hash_of

#: What is sent with one call, as JSON.
Body = dict[str, Any]


class Calls:
    """The calls of one author; `shape` makes of a reply what is kept of it (anything JSON can hold)."""

    def __init__(self, settings: EndpointSettings, key: Key, store: CallStore) -> None:
        self.settings = settings
        self.key = key
        self.store = store
        self.account = Account(settings.budget, settings.price)
        self._charged: set[str] = set()

    def answers(self, bodies: Sequence[Body], shape: Callable[[Reply], Any]) -> list[Any | Refusal]:
        """What is kept of each reply, in order; equal calls are made once. A `Refusal` stands where there is none.

        Raises `BudgetSpent` or `EndpointError` once all that was under way is kept.
        """
        keys = [hash_of([self.settings.base_url, body]) for body in bodies]
        wanted = dict(zip(keys, bodies, strict=True))
        kept = self.store.get(list(wanted))
        for key, answer in kept.items():
            self._charge(key, answer.usage)
        found: dict[str, Any] = {key: answer.answer for key, answer in kept.items()}
        if missing := {key: body for key, body in wanted.items() if key not in found}:
            _completed(self._fetch(missing, shape, found))
        return [found[key] for key in keys]

    async def _fetch(self, missing: Mapping[str, Body], shape: Callable[[Reply], Any], found: dict[str, Any]) -> None:
        """Fill `found` with what is missing."""
        waiting, problems, n_kept = iter(missing.items()), list[EndpointError | BudgetSpent](), len(found)
        total = n_kept + len(missing)
        with tqdm(desc=f"{self.settings.model} writes", total=total, initial=n_kept, unit="call", disable=None) as bar:
            async with line(self.settings, self.key) as opened:
                reservations = Reservations(self.account)

                async def work() -> None:
                    for key, body in waiting:
                        try:
                            async with reservations.hold(most(body)):
                                found[key] = await self._call(opened, key, body, shape)
                        except Refusal as refusal:
                            found[key] = refusal
                        except Over:
                            return
                        except (EndpointError, BudgetSpent) as problem:
                            problems.append(problem)
                            opened.over.set()
                            return
                        bar.set_postfix_str(self.account.told(), refresh=False)
                        bar.update()

                await asyncio.gather(*(work() for _ in range(min(self.settings.concurrency, len(missing)))))
        refused = Counter(str(answer) for answer in found.values() if isinstance(answer, Refusal))
        if refused:
            told = ", ".join(f"{reason} ({n})" for reason, n in sorted(refused.items()))
            tqdm.write(f"warning: no answer of {opened.where} to {refused.total()} prompts: {told}", file=sys.stderr)
        if problems:
            raise self._stopped(problems[0], len(found) - refused.total(), total)

    async def _call(self, opened: Line, key: str, body: Body, shape: Callable[[Reply], Any]) -> Any:
        reply = await opened.ask(body)
        usage = reply.cost() or most(body)
        kept = self.store.put(key, Kept(shape(reply), usage))
        self._charge(key, usage)
        return kept.answer

    def _charge(self, key: str, usage: Usage) -> None:
        if key not in self._charged:
            self._charged.add(key)
            self.account.charge(usage)

    def _stopped(self, problem: EndpointError | BudgetSpent, n_kept: int, total: int) -> Exception:
        if isinstance(problem, BudgetSpent):
            problem = BudgetSpent(f"the budget of '{self.settings.model}' leaves no room for a further call: {problem}")
        kept = f"{n_kept} of these {total} answers are kept in {self.store.path} and will not be paid for again"
        mend = "raise `budget` and run again" if isinstance(problem, BudgetSpent) else "mend it and run again"
        return type(problem)(f"{problem}. {kept}; {mend}")


def _completed(fetching: Coroutine[Any, Any, None]) -> None:
    """Run it to its end: in a thread of its own where this one has an event loop already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(fetching)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fetching).result()


def most(body: Body) -> Usage:
    """The most a call can cost: a token is at least a byte of what is sent, and answers have their limit.

    A server that does not count tokens is taken to have used as many.
    """
    limit = body.get("max_completion_tokens") or body["max_tokens"]
    return Usage(1, len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass")), int(limit))
