"""Work on batches in several processes: in order, bounded, and errors of a process reach who asked."""

import os
import time
from collections.abc import Iterator

import pytest

from turnabout.core import parallel as module
from turnabout.core.parallel import MAX_SERIAL_UNITS, UNITS_PER_PROCESS, parallel_map


def process_and_square(number: int) -> tuple[int, int]:
    time.sleep(0.02 if number % 3 == 0 else 0)  # later ones are ready sooner
    return os.getpid(), number * number


def fail_at_five(number: int) -> int:
    if number == 5:
        raise ValueError("five came")
    return number


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROCESSES", 2)


@pytest.mark.usefixtures("two_processes")
def test_many_units_are_done_by_other_processes_and_come_in_order() -> None:
    processes, squares = zip(*parallel_map(process_and_square, range(MAX_SERIAL_UNITS + 4)), strict=True)
    assert list(squares) == [n * n for n in range(MAX_SERIAL_UNITS + 4)]
    assert os.getpid() not in processes
    assert len(set(processes)) <= 2


@pytest.mark.usefixtures("two_processes")
def test_few_units_are_done_here() -> None:
    assert {process for process, _ in parallel_map(process_and_square, range(MAX_SERIAL_UNITS))} == {os.getpid()}


@pytest.mark.usefixtures("two_processes")
def test_no_more_units_are_begun_than_may_wait() -> None:
    begun: list[int] = []

    class Told(list[int]):
        def __iter__(self) -> Iterator[int]:
            for number in range(len(self)):
                begun.append(number)
                yield number

    results = parallel_map(fail_at_five, Told([0] * 40))
    assert [next(results), next(results)] == [0, 1]
    assert len(begun) == 2 * UNITS_PER_PROCESS + 1
    results.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("two_processes")
def test_an_error_in_a_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="five came"):
        list(parallel_map(fail_at_five, range(MAX_SERIAL_UNITS + 4)))
