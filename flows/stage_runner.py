"""One run of the pipeline as its stages share it: processes, view, bookkeeping."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from flows.console import BAR, View
from turnabout import tracking
from turnabout.pipeline.last_run import StageRun
from turnabout.pipeline.processes import ProcessGroups
from turnabout.pipeline.repro import Stage, reproduce, stale_reasons

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


#: Stages that run side by side. Each uses all cores (its waiting threads sleep), so a second one fills what the first
#: leaves idle while it loads, and a third would only cost memory. A stage marked `meta: {alone: true}` in `dvc.yaml`
#: (a training: weights, gradients and optimiser) has the machine to itself.
SIDE_BY_SIDE = 2


class StageRunner:
    """Makes stages current for one pipeline run, from any thread, and remembers what each took."""

    def __init__(
        self, root: Path, parent: str, view: View, stages: Mapping[str, Stage], forced: Collection[str] = ()
    ) -> None:
        self.groups = ProcessGroups()
        self.runs: list[StageRun] = []
        self._root = root
        self._parent = parent
        self._view = view
        self._stages = stages
        self._forced = frozenset(forced)
        self._slots = threading.BoundedSemaphore(SIDE_BY_SIDE)
        self._door = threading.Lock()

    def run(self, name: str, log: Logger) -> StageRun:
        """Make one stage current and record it. Raises `StageFailed` with the end of its log."""
        with self._room(SIDE_BY_SIDE if self._stages[name].alone else 1):
            return self._run(name, log)

    @contextlib.contextmanager
    def _room(self, slots: int) -> Iterator[None]:
        """Hold that many slots. One stage at a time collects them, so that no two wait for each other's."""
        with self._door:
            for _ in range(slots):
                self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release(slots)

    def _run(self, name: str, log: Logger) -> StageRun:
        self._view.begin(name)
        run_id = tracking.start_stage(name, self._parent)
        began = time.monotonic()
        try:
            run = self._current(name, log) or self._reproduced(name, log, run_id)
        except BaseException as error:
            self._end(StageRun(name, "failed", time.monotonic() - began, 0.0))
            if run_id is not None:
                tracking.fail_stage(run_id, str(error))
            raise
        usage = {"seconds": run.seconds, "peak_memory_mb": run.peak_memory_mb} if run.status == "ran" else None
        if run_id is not None:
            tracking.record_stage(name, self._root, run_id, run.status, usage)
        self._end(run)
        return run

    def _current(self, name: str, log: Logger) -> StageRun | None:
        """The stage as it stands where it is up to date: asking DVC in this process is cheaper than starting one."""
        if name in self._forced:
            return None
        began = time.monotonic()
        reasons = stale_reasons(self._root, [name]).get(name)
        if reasons is None:
            return StageRun(name, "up-to-date", time.monotonic() - began, 0.0)
        log.info("runs because: %s", ", ".join(reasons))
        return None

    def _reproduced(self, name: str, log: Logger, run_id: str | None) -> StageRun:
        env = {"TURNABOUT_FLOW": "1", "MLFLOW_TRACKING_URI": tracking.store_uri(self._root)}
        if run_id is not None:
            env["MLFLOW_RUN_ID"] = run_id
        status, finished = reproduce(
            self._root,
            name,
            self.groups,
            self._listener(name, log),
            pipeline=self._stages[name].pipeline,
            force=name in self._forced,
            terminal=self._view.wants_bars,
            env=env,
        )
        return StageRun(name, status, finished.seconds, finished.peak_memory_mb)

    def _listener(self, name: str, log: Logger) -> Callable[[str], None]:
        def listen(line: str) -> None:
            self._view.line(name, line)
            if not BAR.search(line):
                log.info("%s", line)

        return listen

    def _end(self, run: StageRun) -> None:
        self.runs.append(run)
        self._view.end(run)
