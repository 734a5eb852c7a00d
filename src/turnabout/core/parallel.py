"""Parallel work on the batches of a table, in several processes."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

#: Number of worker processes; each holds about 200 MB.
PROCESSES = min(4, os.cpu_count() or 1)
#: Up to this many units are done in this process, because starting workers takes longer.
MAX_SERIAL_UNITS = 8
#: Units per process that are submitted at a time: running, or finished and not yet consumed.
UNITS_PER_PROCESS = 2
#: Seconds after which an idle worker ends; a worker whose parent was killed ends this way too.
IDLE_SECONDS = 10


def parallel_map(work: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
    """Yield `work(unit)` for each unit, in order.

    A bounded number of results is in memory at a time. `work`, units and results must be picklable.
    """
    if len(units) <= MAX_SERIAL_UNITS or PROCESSES == 1:
        yield from map(work, units)
        return
    from loky import ProcessPoolExecutor

    rest = iter(units)
    threads = {"POLARS_MAX_THREADS": str(max(1, (os.cpu_count() or 1) // PROCESSES))}
    with ProcessPoolExecutor(PROCESSES, timeout=IDLE_SECONDS, env=threads) as pool:
        ahead = deque(pool.submit(work, unit) for unit in islice(rest, UNITS_PER_PROCESS * PROCESSES))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(work, unit) for unit in islice(rest, 1))
