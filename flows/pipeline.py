"""The flow: one task per stage, in the order of DVC's graph."""

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx as nx
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.console import choose_view, print_summary, print_warnings
from flows.stage_runner import StageRunner
from turnabout import tracking
from turnabout.errors import StageFailed, TurnaboutError
from turnabout.operations.preflight import check_run_inputs
from turnabout.operations.sweep import describe_sweep, sweep_if_due
from turnabout.operations.unwatched_stages import list_unwatched_stages
from turnabout.params import load_params
from turnabout.pipeline.last_run import StageRun, write_last_run
from turnabout.pipeline.processes import PeakMemory
from turnabout.pipeline.repro import find_error, find_stale_reasons, load_stage_graph, repair_lock, select_stages

#: A thread per task, because a task waits for its ancestors in its thread. `StageRunner` limits how many stages run at
#: the same time.
THREADS: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner()  # type: ignore[assignment]

#: Longest delay before Ctrl-C is handled.
NOTICE_SECONDS = 0.5


@task(cache_policy=NO_CACHE)
def run_stage(name: str, runner: StageRunner) -> str:
    """Bring one stage up to date and return its status.

    The status is ran, run-cache or up-to-date.
    """
    return runner.run_stage(name, get_run_logger()).status


@flow(name="turnabout", task_runner=THREADS)
def turnabout_pipeline(targets: list[str] | None = None, force: bool = False, root: Path = Path(".")) -> dict[str, str]:
    """Bring the targets and all their ancestors up to date.

    Returns the status of each stage. No target means all stages of the main pipeline. `force` runs stages that are
    up to date, too; a stage that reads a live source always runs. If a stage fails, its dependents do not run, and
    other branches continue. Raises `StageFailed` with the end of the log of each failed stage. After a run without
    failure, what older runs kept of forgotten people is erased. Raises `ConfigError`, `DataError` or `ModelError`
    before any stage runs if `params.yaml` is invalid (it is logged, so it must not hold a password), a log or the
    backbone is missing, or MLflow's store cannot be used.
    """
    root, start = root.resolve(), time.time()
    params = load_params(root / "params.yaml")
    repair_lock(root)
    graph = load_stage_graph(root)
    names = select_stages(graph, targets or [])
    forced = names if force else list_unwatched_stages(root)
    check_run_inputs(root, params, {*find_stale_reasons(root, names), *forced} & set(names))
    began = time.monotonic()
    parent = tracking.start_pipeline(root)
    view, memory = choose_view(names), PeakMemory(os.getpid())
    runner = StageRunner(root, parent, view, dict(graph.nodes(data="stage")), forced)
    succeeded = False
    try:
        with view, memory:
            statuses = _collect_statuses(_submit_stages(graph, names, runner))
        succeeded = True
    except BaseException:  # also Prefect's termination signal: no stage may outlive its flow
        runner.groups.end_all()
        print_warnings(runner.runs)
        raise
    finally:
        seconds = time.monotonic() - began
        usage = {"seconds": seconds, "peak_memory_mb": memory.megabytes}
        tracking.finish_pipeline(root, parent, succeeded, usage, names)
        write_last_run(root, runner.runs, seconds, memory.megabytes)
    create_markdown_artifact(_format_runs(runner.runs), key="stages", description="Result, time and memory")
    print_summary(runner.runs, seconds, memory.megabytes)
    print_warnings(runner.runs)
    # A table that an earlier `dvc repro` wrote without the forgotten people is older than this run.
    if counts := sweep_if_due(root, start if statuses.get("ingest") == "ran" else None):
        get_run_logger().info(describe_sweep(counts))
        print(f"\n{describe_sweep(counts)}")
    return statuses


def _submit_stages(graph: nx.DiGraph, names: Sequence[str], runner: StageRunner) -> dict[str, PrefectFuture[str]]:
    """Submit one task per stage; each waits for the stages it depends on."""
    futures: dict[str, PrefectFuture[str]] = {}
    for name in names:
        earlier = [futures[before] for before in graph.predecessors(name)]
        stage_task = run_stage.with_options(name=name.partition("@")[0], task_run_name=name)
        futures[name] = stage_task.submit(name, runner, wait_for=earlier, return_state=False)
    return futures


def _collect_statuses(futures: dict[str, PrefectFuture[str]]) -> dict[str, str]:
    """Return the status of each stage when all have ended.

    Raises `StageFailed` with the log of each stage that failed; the errors themselves come last.
    """
    _wait_for_all(list(futures.values()))
    failed = {
        name: future.result(raise_on_failure=False) for name, future in futures.items() if future.state.is_failed()
    }
    skipped = [name for name, future in futures.items() if not future.state.is_final()]
    if failed:
        logs = "\n\n".join(str(error) for error in failed.values())
        errors = "\n".join(f"{name}: {find_error(str(error))}" for name, error in failed.items())
        raise StageFailed(f"{logs}\n\nnot run because of it: {', '.join(skipped) or 'nothing'}\n\n{errors}")
    return {name: future.result() for name, future in futures.items()}


def _wait_for_all(futures: Sequence[PrefectFuture[str]]) -> None:
    """Wait for all futures.

    It waits in short steps, because signals are handled only between them.
    """
    ended = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: ended.release())
    for _ in futures:
        while not ended.acquire(timeout=NOTICE_SECONDS):
            pass


def _format_runs(runs: Sequence[StageRun]) -> str:
    rows: list[str] = []
    for run in runs:
        result = "<br>".join([run.summary, *run.warnings] if run.summary else run.warnings).replace("|", "\\|")
        rows.append(f"| {run.name} | {run.status} | {run.seconds:.1f} | {run.peak_memory_mb:.0f} | {result} |")
    return "\n".join(["| stage | status | seconds | peak MB | result |", "| --- | --- | ---: | ---: | --- |", *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the flow from the command line.

    `turnabout run` does this with Prefect's settings of the project.
    """
    parser = argparse.ArgumentParser(prog="flows.pipeline", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as in `turnabout run`")
    parser.add_argument("--force", action="store_true", help="also run stages that are up to date")
    parser.add_argument("--root", type=Path, default=Path("."))
    try:
        turnabout_pipeline(**vars(parser.parse_args(arguments)))
    except TurnaboutError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        print("cancelled; no stage is left running", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
