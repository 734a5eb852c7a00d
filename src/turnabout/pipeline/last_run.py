"""Time and memory of the last execution of each stage, for `turnabout plan`.

They are stored in `.turnabout/last_run.json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from turnabout.core.io import read_json, write_json

FILE = Path(".turnabout") / "last_run.json"


@dataclass(frozen=True)
class StageRun:
    """One stage in one run of the pipeline."""

    name: str
    status: str
    """ran | run-cache | up-to-date | failed"""
    seconds: float
    peak_memory_mb: float
    summary: str = ""
    """What the stage read, wrote and dropped; not stored."""
    warnings: tuple[str, ...] = ()
    """The lines of the stage's output that start with `warning:`; not stored."""


def read_last_run(root: Path) -> dict[str, StageRun]:
    """Return the last execution of each stage by name.

    The result is empty before the first run.
    """
    if not (root / FILE).exists():
        return {}
    return {entry["name"]: StageRun(**entry) for entry in read_json(root / FILE)["stages"]}


def write_last_run(root: Path, runs: Sequence[StageRun], seconds: float, peak_memory_mb: float) -> None:
    """Store a run.

    Stages that did not execute keep the figures of their last execution.
    """
    executed = {run.name: run for run in runs if run.status == "ran"}
    content = {
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak_memory_mb),
        "stages": [
            {"name": run.name, "status": run.status, "seconds": run.seconds, "peak_memory_mb": run.peak_memory_mb}
            for run in {**read_last_run(root), **executed}.values()
        ],
    }
    write_json(content, root / FILE)
