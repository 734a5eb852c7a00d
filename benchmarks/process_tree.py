"""Running time and peak memory of a command and its child processes."""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parents[1]
SECONDS_BETWEEN_SAMPLES = 0.1


class Usage(NamedTuple):
    """Time and peak memory of a finished command.

    Bytes are summed over the process and its children and are the largest of all samples.
    """

    seconds: float
    resident_bytes: int
    """Resident set size. It includes mapped file pages, which the kernel reclaims when memory is needed."""
    own_bytes: int
    """Resident bytes without file pages: the memory that cannot be reclaimed."""


def run_command(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command in the project's folder and measure it.

    Its output goes to `log`. Raises RuntimeError where the command fails.
    """
    began = time.perf_counter()
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command, stdout=printed, stderr=printed, cwd=ROOT, env={**os.environ, **(environment or {})}
        )
        samples = [_read_memory(process.pid)]
        while process.poll() is None:
            time.sleep(SECONDS_BETWEEN_SAMPLES)
            samples.append(_read_memory(process.pid))
    seconds = time.perf_counter() - began
    if process.returncode:
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}:\n{end}")
    return Usage(seconds, max(resident for resident, _ in samples), max(own for _, own in samples))


def sum_usage(runs: Iterable[Usage]) -> Usage:
    """Return the usage of commands that ran one after the other."""
    usages = list(runs)
    return Usage(
        seconds=sum(usage.seconds for usage in usages),
        resident_bytes=max(usage.resident_bytes for usage in usages),
        own_bytes=max(usage.own_bytes for usage in usages),
    )


def _read_memory(pid: int) -> tuple[int, int]:
    """Return resident and own bytes of a process and its children.

    They are 0 once the process has ended.
    """
    resident = own = 0
    with suppress(psutil.NoSuchProcess):
        for process in (root := psutil.Process(pid), *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                resident, own = resident + memory.rss, own + memory.rss - memory.shared
    return resident, own
