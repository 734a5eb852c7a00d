"""What a person sees while the pipeline runs: a live table on a terminal, one line per event elsewhere."""

import re
import sys
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from turnabout.pipeline.last_run import StageRun

#: A bar as tqdm draws it: `critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.8reply/s]`.
BAR = re.compile(r"(?P<percent>\d+)%\|[^|]*\|\s*(?P<rest>.*)$")


class View(Protocol):
    """Told of every event of a run; lines come from the stages' threads."""

    wants_bars: bool

    def __enter__(self) -> "View": ...
    def __exit__(self, *_: object) -> None: ...
    def begin(self, name: str) -> None:
        """A stage starts."""

    def line(self, name: str, text: str) -> None:
        """A stage wrote a line."""

    def end(self, run: StageRun) -> None:
        """A stage ended."""


class LiveView:
    """One row per stage with its state, its own progress bar and the time it takes."""

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

    def begin(self, name: str) -> None:
        self._progress.start_task(self._rows[name])
        self._progress.update(self._rows[name], state="[cyan]running")

    def line(self, name: str, text: str) -> None:
        if bar := BAR.search(text):
            self._progress.update(self._rows[name], completed=int(bar["percent"]), note=bar["rest"])

    def end(self, run: StageRun) -> None:
        state = f"[{'red' if run.status == 'failed' else 'green'}]{run.status}"
        self._progress.update(self._rows[run.name], completed=100, state=state, note="")
        self._progress.stop_task(self._rows[run.name])


class PlainView:
    """One line when a stage starts and one when it ends."""

    wants_bars = False

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def begin(self, name: str) -> None:
        _tell(f"{name}: started")

    def line(self, name: str, text: str) -> None:
        return

    def end(self, run: StageRun) -> None:
        _tell(f"{run.name}: {run.status}, {run.seconds:.1f} s")


def view(names: Sequence[str]) -> View:
    """The view that suits standard output."""
    return LiveView(names) if sys.stdout.isatty() else PlainView()


def print_summary(runs: Sequence[StageRun], seconds: float, peak_memory_mb: float) -> None:
    """Print what each stage took, and the whole."""
    table = Table("stage", "status", box=None, pad_edge=False)
    table.add_column("seconds", justify="right")
    table.add_column("peak MB", justify="right")
    for run in runs:
        table.add_row(run.name, run.status, f"{run.seconds:.1f}", f"{run.peak_memory_mb:.0f}")
    table.add_row("all, with Prefect and MLflow", "", f"{seconds:.1f}", f"{peak_memory_mb:.0f}")
    Console().print(table)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # one write: stages side by side must not mix their lines
    sys.stdout.flush()
