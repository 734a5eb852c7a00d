"""Commands in process groups, with their output, time and memory."""

import contextlib
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from turnabout.pipeline.progress_bars import is_progress

TAIL_LINES = 30
SAMPLE_SECONDS = 0.2
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class CompletedCommand:
    """Result of a command that ended.

    `peak_memory_mb` is that of the process tree, `tail` the last lines of the output without progress bars.
    """

    status: int
    seconds: float
    peak_memory_mb: float
    tail: str


class PeakMemory:
    """Peak resident memory of a process tree during a `with` block.

    It is sampled, in MiB.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> "PeakMemory":
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._sampler.join()

    def _sample(self) -> None:
        while True:
            self.megabytes = max(self.megabytes, _measure_resident_mb(self._pid))
            if self._done.wait(SAMPLE_SECONDS):
                return


class ProcessGroups:
    """The running commands of one pipeline run.

    After `end_all` no command can be started, so that a cancelled run stays cancelled.
    """

    def __init__(self) -> None:
        self._live: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._ended = False

    def start(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], output: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command as the leader of a new process group.

        `output` is the file descriptor for stdout and stderr. Raises `InterruptedError` after `end_all`.
        """
        with self._lock:
            if self._ended:
                raise InterruptedError("the run was cancelled")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._live[process.pid] = process
        return process

    def stream(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        terminal: bool = False,
    ) -> CompletedCommand:
        """Run a command to its end and pass each line of output to `on_line`.

        With `terminal` the command writes to a pseudo-terminal, so that it shows progress bars; each refresh of a bar
        (a carriage return) then counts as a line.
        """
        reader, writer = _open_pseudo_terminal() if terminal else os.pipe()
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        began = time.monotonic()
        try:
            process = self.start(command, cwd, env, writer)
        finally:
            os.close(writer)
        try:
            with PeakMemory(process.pid) as memory:
                for line in _read_lines(reader):
                    if not is_progress(line):
                        tail.append(line)
                    on_line(line)
                status = process.wait()
        finally:
            self.end(process)
        return CompletedCommand(status, time.monotonic() - began, memory.megabytes, "\n".join(tail))

    def end(self, process: subprocess.Popen[bytes], grace: float = 5.0) -> None:
        """End a command and its descendants.

        They get SIGTERM, and SIGKILL after `grace` seconds.
        """
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()
        with self._lock:
            self._live.pop(process.pid, None)

    def end_all(self, grace: float = 5.0) -> None:
        """End all running commands and refuse new ones."""
        with self._lock:
            self._ended = True
            live = list(self._live.values())
        for process in live:
            _signal_group(process, signal.SIGTERM)
        for process in live:
            self.end(process, grace)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _open_pseudo_terminal() -> tuple[int, int]:
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 100))
    return reader, writer


def _read_lines(reader: int) -> Iterator[str]:
    """Yield the non-empty lines of a descriptor without colours.

    A carriage return ends a line, too.
    """
    from rich.text import Text

    with open(reader, encoding="utf-8", errors="replace", newline=None) as stream, contextlib.suppress(OSError):
        # A pseudo-terminal whose other end is closed reports an input/output error where a pipe reports the end.
        for line in stream:
            if plain := Text.from_ansi(line).plain.strip():
                yield plain


def _measure_resident_mb(pid: int) -> float:
    import psutil

    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total / MEBIBYTE
