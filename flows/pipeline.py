"""The flow: the wanted stages and all their ancestors, one task each, in the order of DVC's graph."""

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

from flows.console import print_summary, view
from flows.stage_runner import StageRunner
from turnabout import tracking
from turnabout.errors import StageFailed, TurnaboutError
from turnabout.operations.unwatched_stages import live_stages
from turnabout.params import load_params
from turnabout.pipeline.last_run import StageRun, write_last_run
from turnabout.pipeline.processes import PeakMemory
from turnabout.pipeline.repro import mend_lock, stage_graph, wanted_stages

#: A thread per task, for a task waits for its ancestors inside its thread; how many stages run at once is the
#: `StageRunner`'s to say.
THREADS: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner()  # type: ignore[assignment]

#: Longest time before Ctrl-C is noticed.
NOTICE_SECONDS = 0.5


@task(cache_policy=NO_CACHE)
def run_stage(name: str, runner: StageRunner) -> str:
    """The status of one stage that is now current: ran, run-cache or up-to-date."""
    return runner.run(name, get_run_logger()).status


@flow(name="turnabout", task_runner=THREADS)
def turnabout_pipeline(targets: list[str] | None = None, force: bool = False, root: Path = Path(".")) -> dict[str, str]:
    """Bring the targets (default: all of the main pipeline) up to date, and return each stage's status.

    `force` runs every wanted stage whether stale or not; a stage that reads a live source always runs. A stage that
    fails takes what follows it down with it; branches beside it go on. Raises `StageFailed` with the end of the log of
    each stage that failed, and `ConfigError` before any stage runs where `params.yaml` is refused (it is logged, so it
    must not hold a password) or MLflow's store cannot be used.
    """
    root = root.resolve()
    load_params(root / "params.yaml")
    mend_lock(root)
    graph = stage_graph(root)
    names = wanted_stages(graph, targets or [])
    began = time.monotonic()
    parent = tracking.start_pipeline(root)
    succeeded = False
    with view(names) as shown, PeakMemory(os.getpid()) as memory:
        stages = dict(graph.nodes(data="stage"))
        runner = StageRunner(root, parent, shown, stages, names if force else live_stages(root))
        try:
            statuses = _results(_submitted(graph, names, runner))
            succeeded = True
        except BaseException:  # Prefect's own termination signal included: no stage may outlive its flow
            runner.groups.end_all()
            raise
        finally:
            seconds = time.monotonic() - began
            usage = {"seconds": seconds, "peak_memory_mb": memory.megabytes}
            tracking.finish_pipeline(root, parent, succeeded, usage, names)
            write_last_run(root, runner.runs, seconds, memory.megabytes)
    create_markdown_artifact(_markdown(runner.runs), key="stages", description="What each stage took")
    print_summary(runner.runs, seconds, memory.megabytes)
    return statuses


def _submitted(graph: nx.DiGraph, names: Sequence[str], runner: StageRunner) -> dict[str, PrefectFuture[str]]:
    """One future per stage; each waits for the stages it depends on."""
    futures: dict[str, PrefectFuture[str]] = {}
    for name in names:
        earlier = [futures[before] for before in graph.predecessors(name)]
        stage_task = run_stage.with_options(name=name.partition("@")[0], task_run_name=name)
        futures[name] = stage_task.submit(name, runner, wait_for=earlier, return_state=False)
    return futures


def _results(futures: dict[str, PrefectFuture[str]]) -> dict[str, str]:
    """Every stage's status once all have ended. Raises `StageFailed` with the log of each that failed."""
    _wait_for_all(list(futures.values()))
    failed = {
        name: future.result(raise_on_failure=False) for name, future in futures.items() if future.state.is_failed()
    }
    skipped = [name for name, future in futures.items() if not future.state.is_final()]
    if failed:
        logs = "\n\n".join(str(error) for error in failed.values())
        raise StageFailed(f"{logs}\n\nnot run because of it: {', '.join(skipped) or 'nothing'}")
    return {name: future.result() for name, future in futures.items()}


def _wait_for_all(futures: Sequence[PrefectFuture[str]]) -> None:
    """Return when every future has ended; waits in short steps, because a signal is only noticed between them."""
    ended = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: ended.release())
    for _ in futures:
        while not ended.acquire(timeout=NOTICE_SECONDS):
            pass


def _markdown(runs: Sequence[StageRun]) -> str:
    rows = [f"| {run.name} | {run.status} | {run.seconds:.1f} | {run.peak_memory_mb:.0f} |" for run in runs]
    return "\n".join(["| stage | status | seconds | peak MB |", "| --- | --- | ---: | ---: |", *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the flow from the command line; `turnabout run` does this with Prefect's settings made for the project."""
    parser = argparse.ArgumentParser(prog="flows.pipeline", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as in `turnabout run`")
    parser.add_argument("--force", action="store_true", help="run stages that are up to date, too")
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
