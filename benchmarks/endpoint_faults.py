"""Answered and doubly paid prompts on a server that fails 30 % of its calls.

Both sides are also run with a kill -9 half-way. The peer is the `openai` client with its own retries, as many as ours,
and the same number of calls at once.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from turnabout.core.messages import Message
from turnabout.errors import TurnaboutError
from turnabout.generation import Sampling
from turnabout.generation.config import OpenContext
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.testing import FAULTS, FaultyEndpoint, fail_randomly

RETRIES, AT_ONCE, TIMEOUT_S = 8, 16, 3.0


def build_prompts(n: int) -> list[list[Message]]:
    """Return `n` different questions."""
    return [[{"role": "user", "content": f"question {i}"}] for i in range(n)]


def run_turnabout(url: str, n: int, store: Path) -> int:
    """Return how many prompts our own generator answers with this store."""
    generator = OpenAI(
        model="m", base_url=url, key=None, retries=RETRIES, concurrency=AT_ONCE, timeout_s=TIMEOUT_S
    ).open(OpenContext(store.parent, "float32", 1, store))
    try:
        return sum(answer.refused is None for answer in generator.generate(build_prompts(n), Sampling(16)))
    except TurnaboutError as error:
        print(error)
        return 0


def run_openai_client(url: str, n: int, _: Path) -> int:
    """Return how many prompts the client alone answers.

    A failed call loses only its own prompt.
    """
    from openai import AsyncOpenAI

    async def run() -> int:
        free_calls = asyncio.Semaphore(AT_ONCE)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=RETRIES, timeout=TIMEOUT_S) as client:

            async def ask(prompt: list[Message]) -> str:
                async with free_calls:
                    answer = await client.chat.completions.create(model="m", messages=prompt, max_tokens=16)  # type: ignore[arg-type]
                    return answer.choices[0].message.content or ""

            answers = await asyncio.gather(*map(ask, build_prompts(n)), return_exceptions=True)
        return sum(isinstance(answer, str) for answer in answers)

    return asyncio.run(run())


def run_with_kill(client: Callable[[str, int, Path], int], server: FaultyEndpoint, n: int, store: Path) -> int:
    """Run a client, kill it half-way, and run it again from the start.

    The process is killed once half of the prompts are answered. Returns how many the second run answers.
    """
    script = f"from benchmarks.endpoint_faults import *; {client.__name__}({server.url!r}, {n}, Path({str(store)!r}))"
    started = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    while len(server.answered) < n / 2 and started.poll() is None:
        time.sleep(0.005)
    started.kill()
    started.wait()
    return client(server.url, n, store)


def main(n: int, share: float, seed: int) -> None:
    """Print a row for each client, with and without a kill."""
    table = Table("who asks", box=None, pad_edge=False)
    for column in ("prompts", "answered", "tries", *FAULTS, "paid twice", "seconds"):
        table.add_column(column, justify="right")
    for client in (run_turnabout, run_openai_client):
        for killed in (False, True):
            with tempfile.TemporaryDirectory() as folder, FaultyEndpoint(fail_randomly(share, seed)) as server:
                store, started = Path(folder, "answers.sqlite"), time.perf_counter()
                answered = run_with_kill(client, server, n, store) if killed else client(server.url, n, store)
                seconds = time.perf_counter() - started
            name = ("turnabout" if client is run_turnabout else "openai client alone") + ", killed half-way" * killed
            faults = [str(server.outcomes[fault]) for fault in FAULTS]
            twice = server.answered.total() - len(server.answered)
            row = [n, answered, server.outcomes.total(), *faults, twice, f"{seconds:.1f}"]
            table.add_row(name, *map(str, row))
    console = Console()
    console.width = max(console.width, 140)
    console.print(table)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--prompts", type=int, default=300)
    cli.add_argument("--share", type=float, default=0.3, help="share of calls that fail")
    cli.add_argument("--seed", type=int, default=1)
    options = cli.parse_args()
    main(options.prompts, options.share, options.seed)
