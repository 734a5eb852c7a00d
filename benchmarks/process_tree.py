"""A command's running time, and the most memory that it and the processes it starts take."""

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
    """What a finished command took. Bytes are summed over the process and its children, at the worst moment."""

    seconds: float
    resident_bytes: int
    """Resident set size: with pages of files that are mapped, which the kernel takes back when others need them."""
    own_bytes: int
    """The part of it that is no file's: what must be there."""


def run_command(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command in the project's folder; what it prints goes to `log`. Raises RuntimeError where it fails."""
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
    """Commands one after the other as one."""
    seconds, resident, own = zip(*runs, strict=True)
    return Usage(sum(seconds), max(resident), max(own))


def _read_memory(pid: int) -> tuple[int, int]:
    """Resident and own bytes of a process and its children; none once it has ended."""
    resident = own = 0
    with suppress(psutil.NoSuchProcess):
        for process in (root := psutil.Process(pid), *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                resident, own = resident + memory.rss, own + memory.rss - memory.shared
    return resident, own
