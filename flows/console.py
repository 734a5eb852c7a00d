"""Progress of a run: a live table on a terminal, else a line per event."""

import re
import sys
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from turnabout.pipeline.last_run import StageRun

#: A progress bar of tqdm: `critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.8reply/s]`.
BAR = re.compile(r"(?P<percent>\d+)%\|[^|]*\|\s*(?P<rest>.*)$")


class View(Protocol):
    """Display of the events of a run.

    Its methods are called from the threads of the stages.
    """

    wants_bars: bool

    def __enter__(self) -> "View": ...
    def __exit__(self, *_: object) -> None: ...
    def begin_stage(self, name: str) -> None:
        """Show that a stage starts."""

    def show_line(self, name: str, text: str) -> None:
        """Show a line of a stage's output."""

    def end_stage(self, run: StageRun) -> None:
        """Show that a stage ended."""


class LiveView:
    """A table with one row per stage: state, progress bar and elapsed time."""

    wants_bars = True

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
        if bar := BAR.search(text):
            self._progress.update(self._rows[name], completed=int(bar["percent"]), note=bar["rest"])

    def end_stage(self, run: StageRun) -> None:
        state = f"[{'red' if run.status == 'failed' else 'green'}]{run.status}"
        self._progress.update(self._rows[run.name], completed=100, state=state, note="")
        self._progress.stop_task(self._rows[run.name])


class PlainView:
    """One line when a stage starts and one line when it ends."""

    wants_bars = False

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def begin_stage(self, name: str) -> None:
        _print_line(f"{name}: started")

    def show_line(self, name: str, text: str) -> None:
        return

    def end_stage(self, run: StageRun) -> None:
        _print_line(f"{run.name}: {run.status}, {run.seconds:.1f} s")


def choose_view(names: Sequence[str]) -> View:
    """Return a live view for a terminal and a plain one otherwise."""
    return LiveView(names) if sys.stdout.isatty() else PlainView()


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
