"""Progress of a run: a live table on a terminal, else a line per event."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from turnabout.pipeline.last_run import StageRun
from turnabout.pipeline.progress_bars import ProgressBar, format_duration, parse_bar

#: Seconds between two lines of progress of one stage where there is no terminal.
PROGRESS_SECONDS = 30.0


class View(Protocol):
    """Display of the events of a run.

    Its methods are called from the threads of the stages.
    """

    def __enter__(self) -> "View": ...
    def __exit__(self, *_: object) -> None: ...
    def begin_stage(self, name: str) -> None:
        """Show that a stage starts."""

    def show_line(self, name: str, text: str) -> None:
        """Show a line of a stage's output."""

    def end_stage(self, run: StageRun) -> None:
        """Show that a stage ended."""


class LiveView:
    """A table with one row per stage: state, progress bar and elapsed time.

    The result of each stage that ran is printed above the table and stays on the screen.
    """

    def __init__(self, names: Sequence[str]) -> None:
        columns = (
            TextColumn("{task.description}"),
            TextColumn("{task.fields[state]}"),
            BarColumn(20),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, TextColumn("{task.fields[note]}", style="dim"), transient=True)
        self._rows: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=100, start=False, state="waiting", note="") for name in names
        }

    def __enter__(self) -> "LiveView":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin_stage(self, name: str) -> None:
        self._progress.start_task(self._rows[name])
        self._progress.update(self._rows[name], state="[cyan]running")

    def show_line(self, name: str, text: str) -> None:
        if bar := parse_bar(text):
            self._progress.update(self._rows[name], completed=bar.percent, note=bar.note)

    def end_stage(self, run: StageRun) -> None:
        state = f"[{'red' if run.status == 'failed' else 'green'}]{run.status}"
        self._progress.update(self._rows[run.name], completed=100, state=state, note="")
        self._progress.stop_task(self._rows[run.name])
        if run.status != "up-to-date":
            for line in format_end(run):
                self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


class PlainView:
    """Lines when a stage starts and ends, and one line of progress now and then.

    `clock` returns the time in seconds since an arbitrary start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shown_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def begin_stage(self, name: str) -> None:
        with self._lock:
            self._shown_at[name] = self._clock()
        _print_line(f"{name}: started")

    def show_line(self, name: str, text: str) -> None:
        bar = parse_bar(text)
        if bar is None:
            return
        with self._lock:
            if self._clock() - self._shown_at[name] < PROGRESS_SECONDS:
                return
            self._shown_at[name] = self._clock()
        _print_line(format_progress(name, bar))

    def end_stage(self, run: StageRun) -> None:
        _print_line("\n".join(format_end(run)))


def choose_view(names: Sequence[str]) -> View:
    """Return a live view for a terminal and a plain one otherwise."""
    return LiveView(names) if sys.stdout.isatty() else PlainView()


def format_progress(name: str, bar: ProgressBar) -> str:
    """Return a line such as `evaluate: 45 % (18/40, about 12 s left)`.

    The title of the bar comes first where it is not the stage's name.
    """
    title = f"{bar.title} " if bar.title not in ("", name.partition("@")[0]) else ""
    left = f", about {format_duration(bar.seconds_left)} left" if bar.seconds_left is not None else ""
    return f"{name}: {title}{bar.percent} % ({bar.steps}{left})"


def format_end(run: StageRun) -> list[str]:
    """Return the line about a stage that ended, and one for each warning."""
    line = f"{run.name}: {run.status}, {run.seconds:.1f} s"
    return [f"{line}: {run.summary}" if run.summary else line, *(f"  {warning}" for warning in run.warnings)]


def print_warnings(runs: Sequence[StageRun]) -> None:
    """Print the warnings of all stages together, each after its stage's name."""
    lines = [f"{run.name}: {warning}" for run in runs for warning in run.warnings]
    if lines:
        _print_line("\n".join(["", "warnings of this run:", *lines]))


def print_summary(runs: Sequence[StageRun], seconds: float, peak_memory_mb: float) -> None:
    """Print seconds and peak memory of each stage and of the whole run."""
    table = Table("stage", "status", box=None, pad_edge=False)
    table.add_column("seconds", justify="right")
    table.add_column("peak MB", justify="right")
    for run in runs:
        table.add_row(run.name, run.status, f"{run.seconds:.1f}", f"{run.peak_memory_mb:.0f}")
    table.add_row("all, with Prefect and MLflow", "", f"{seconds:.1f}", f"{peak_memory_mb:.0f}")
    Console().print(table)


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # a single write, so that parallel stages do not mix their lines
    sys.stdout.flush()
