"""Run the stages that are out of date, recorded by Prefect and MLflow.

The stages are the named ones, or all, with the stages that they depend on. If all of them are up to date, the command
says so and does nothing.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from turnabout.pipeline.project import ARM_TABLE, REPORT

#: Help of the targets of `run` and `plan`.
TARGETS_HELP = (
    "stage (build_pairs@drift), group of stages (build_pairs), or folder of another pipeline (ablations); default: all "
    "stages"
)


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the targets and `--force`."""
    options.epilog = "example: turnabout run evaluate report"
    options.add_argument("targets", nargs="*", metavar="TARGET", help=TARGETS_HELP)
    options.add_argument("--force", action="store_true", help="also run stages that are up to date")


def execute(targets: Sequence[str], force: bool) -> int:
    """Run the stale stages among the targets and their ancestors.

    Logs and backbone are checked before any server starts. Returns the exit status of the flow.
    """
    from turnabout.operations.preflight import check_run_inputs
    from turnabout.operations.sweep import describe_sweep, sweep_if_due
    from turnabout.operations.unwatched_stages import list_unwatched_stages
    from turnabout.params import load_params
    from turnabout.pipeline.project import find_root
    from turnabout.pipeline.repro import find_stale_reasons, load_stage_graph, repair_lock, select_stages

    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    repair_lock(root)
    names = select_stages(load_stage_graph(root), targets)
    stages = set(names)
    if not force:
        stages &= {*list_unwatched_stages(root), *find_stale_reasons(root, names)}
    if not stages:
        print(f"Everything is up to date ({len(names)} stages), nothing to do.")
        _print_locations(root, names)
        if counts := sweep_if_due(root):
            print(f"\n{describe_sweep(counts)}")
        return 0
    check_run_inputs(root, params, stages)
    status = _run_flow(root, targets, force)
    if status == 0:
        if "evaluate" in names:
            _print_headline(root)
        _print_locations(root, names)
    return status


def build_flow_environment(root: Path) -> dict[str, str]:
    """Return the environment variables of the flow.

    Prefect's records are inside the project unless `PREFECT_API_URL` is set. Variables that are set already stay.
    """
    defaults = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    if "PREFECT_API_URL" not in os.environ:
        defaults["PREFECT_HOME"] = str(root / ".turnabout" / "prefect")
    environment = {**defaults, **os.environ}
    if home := environment.get("PREFECT_HOME"):
        Path(home).mkdir(parents=True, exist_ok=True)
    return environment


def _run_flow(root: Path, targets: Sequence[str], force: bool) -> int:
    """Run the flow in a session of its own; return its exit status.

    Requests to stop are forwarded to the flow. Afterwards all processes of its session are ended, because a cancelled
    flow sometimes leaves Prefect's temporary server behind.
    """
    command = [sys.executable, "-m", "flows.pipeline", *targets, *["--force"] * force]
    flow = subprocess.Popen(command, cwd=root, env=build_flow_environment(root), start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: flow.send_signal(signal.SIGINT))
    try:
        return flow.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(flow.pid, signal.SIGTERM)


def _print_headline(root: Path) -> None:
    """Print the five most important numbers."""
    from turnabout.operations.headline import build_headline

    print()
    for line in build_headline(root / "metrics"):
        print(line)


def _print_locations(root: Path, names: Sequence[str]) -> None:
    """Print where the results are.

    `names` are the stages of this run; if the report is not among them, it is called one of an earlier run.
    """
    if "compare" in names:
        print(f"\narms of the user model: {root / ARM_TABLE}")
    report = root / REPORT
    if report.exists():
        note = "" if "report" in names else " (of an earlier run: `turnabout run report` brings it up to date)"
        print(f"\nreport: {report}{note}")
    else:
        print("\nreport: none yet (`turnabout run report` writes it)")
    print("`turnabout ui` starts MLflow and Prefect and shows their addresses.")
