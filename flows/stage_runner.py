"""Execution of the stages of one pipeline run."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from flows.console import View
from turnabout import tracking
from turnabout.core.stage_output import WARNING
from turnabout.operations.stage_summaries import summarize_stage
from turnabout.pipeline.last_run import StageRun
from turnabout.pipeline.processes import ProcessGroups
from turnabout.pipeline.progress_bars import is_progress
from turnabout.pipeline.repro import Stage, find_stale_reasons, reproduce_stage

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


#: Number of stages that run at the same time. Each uses all cores (waiting threads sleep). A second stage uses the time
#: in which the first one loads; a third one would only cost memory. A stage with `meta: {alone: true}` in `dvc.yaml`
#: (a training: weights, gradients and optimiser) runs alone.
MAX_PARALLEL_STAGES = 2


class StageRunner:
    """Brings stages up to date for one pipeline run, from any thread.

    `runs` has time, memory, summary and warnings of each stage that ended.
    """

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
        self._warnings: dict[str, list[str]] = {}
        self._slots = threading.BoundedSemaphore(MAX_PARALLEL_STAGES)
        self._queue = threading.Lock()

    def run_stage(self, name: str, log: Logger) -> StageRun:
        """Bring one stage up to date and record it.

        Raises `StageFailed` with the end of its log.
        """
        with self._hold_slots(MAX_PARALLEL_STAGES if self._stages[name].alone else 1):
            return self._run_and_record(name, log)

    @contextlib.contextmanager
    def _hold_slots(self, slots: int) -> Iterator[None]:
        """Hold `slots` slots during a `with` block.

        One stage at a time collects them, so that there is no deadlock.
        """
        with self._queue:
            for _ in range(slots):
                self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release(slots)

    def _run_and_record(self, name: str, log: Logger) -> StageRun:
        self._view.begin_stage(name)
        run_id = tracking.start_stage(name, self._parent)
        began = time.monotonic()
        try:
            run = self._check_up_to_date(name, log) or self._reproduce(name, log, run_id)
        except BaseException as error:
            self._end_stage(StageRun(name, "failed", time.monotonic() - began, 0.0, warnings=self._get_warnings(name)))
            if run_id is not None:
                tracking.fail_stage(run_id, str(error))
            raise
        usage = {"seconds": run.seconds, "peak_memory_mb": run.peak_memory_mb} if run.status == "ran" else None
        if run_id is not None:
            tracking.record_stage(name, self._root, run_id, run.status, usage)
        if run.summary:
            log.info("%s", run.summary)
        self._end_stage(run)
        return run

    def _check_up_to_date(self, name: str, log: Logger) -> StageRun | None:
        """Return the run of a stage that is up to date, else None.

        Asking DVC in this process is cheaper than starting a process.
        """
        if name in self._forced:
            return None
        began = time.monotonic()
        reasons = find_stale_reasons(self._root, [name]).get(name)
        if reasons is None:
            return StageRun(name, "up-to-date", time.monotonic() - began, 0.0)
        log.info("runs because: %s", ", ".join(reasons))
        return None

    def _reproduce(self, name: str, log: Logger, run_id: str | None) -> StageRun:
        env = {"TURNABOUT_FLOW": "1", "MLFLOW_TRACKING_URI": tracking.find_store_uri(self._root)}
        if run_id is not None:
            env["MLFLOW_RUN_ID"] = run_id
        status, finished = reproduce_stage(
            self._root,
            name,
            self.groups,
            self._make_listener(name, log),
            pipeline=self._stages[name].pipeline,
            force=name in self._forced,
            terminal=True,  # so that the stage shows its progress bars
            env=env,
        )
        summary = ""
        if status != "up-to-date":
            # A stage restored from the run cache took other seconds than those of this run.
            summary = summarize_stage(self._root, self._stages[name], finished.seconds if status == "ran" else 0.0)
        return StageRun(
            name, status, finished.seconds, finished.peak_memory_mb, summary=summary, warnings=self._get_warnings(name)
        )

    def _make_listener(self, name: str, log: Logger) -> Callable[[str], None]:
        def listen(line: str) -> None:
            self._view.show_line(name, line)
            if line.startswith(WARNING):
                self._warnings.setdefault(name, []).append(line)
                log.warning("%s", line)
            elif not is_progress(line):
                log.info("%s", line)

        return listen

    def _get_warnings(self, name: str) -> tuple[str, ...]:
        return tuple(self._warnings.get(name, ()))

    def _end_stage(self, run: StageRun) -> None:
        self.runs.append(run)
        self._view.end_stage(run)
