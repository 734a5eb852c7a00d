"""Work on the batches of a table in several processes, its results in order and a bounded number of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

#: Each process holds some 200 MB.
PROCESSES = min(4, os.cpu_count() or 1)
#: So many units are done before processes have started.
FEW = 8
#: Units of a process that are under way or wait to be taken.
AT_ONCE = 2
#: Seconds after which a process without work ends, also one whose parent was killed.
IDLE = 10


def side_by_side(work: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
    """`work(unit)` for each unit, in order; few units are done here. `work`, units and results must be picklable."""
    if len(units) <= FEW or PROCESSES == 1:
        yield from map(work, units)
        return
    from loky import ProcessPoolExecutor

    rest = iter(units)
    threads = {"POLARS_MAX_THREADS": str(max(1, (os.cpu_count() or 1) // PROCESSES))}
    with ProcessPoolExecutor(PROCESSES, timeout=IDLE, env=threads) as pool:
        ahead = deque(pool.submit(work, unit) for unit in islice(rest, AT_ONCE * PROCESSES))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(work, unit) for unit in islice(rest, 1))
