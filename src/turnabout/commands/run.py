"""Bring stages and all they need up to date, with Prefect and MLflow watching.

Says so and does nothing where everything is current already.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from turnabout.pipeline.project import ARM_TABLE, REPORT


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Targets and `--force`."""
    told = "stages (build_pairs@drift), groups (build_pairs), or the folder of another pipeline (ablations)"
    options.add_argument("targets", nargs="*", metavar="TARGET", help=told)
    options.add_argument("--force", action="store_true", help="run stages that are up to date, too")


def execute(targets: Sequence[str], force: bool) -> int:
    """Run what is stale among the targets and their ancestors; the flow's exit status."""
    from turnabout.commands.forget import sweep_if_due
    from turnabout.operations.unwatched_stages import list_unwatched_stages
    from turnabout.params import load_params
    from turnabout.pipeline.project import find_root
    from turnabout.pipeline.repro import repair_lock, load_stage_graph, find_stale_reasons, select_stages

    root = find_root(Path.cwd())
    load_params(root / "params.yaml")
    repair_lock(root)
    names = select_stages(load_stage_graph(root), targets)
    if not force and list_unwatched_stages(root).isdisjoint(names) and not find_stale_reasons(root, names):
        print(f"Everything is up to date ({len(names)} stages), nothing to do.")
        _print_locations(root, names)
        sweep_if_due(root)
        return 0
    began = time.time()
    status = _run_flow(root, targets, force)
    if status == 0:
        if "evaluate" in names:
            _print_headline(root)
        _print_locations(root, names)
        sweep_if_due(root, began)
    return status


def build_flow_environment(root: Path) -> dict[str, str]:
    """The environment of the flow: this Python first, the project importable, Prefect's records inside the project."""
    ours = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    if "PREFECT_API_URL" not in os.environ:
        ours["PREFECT_HOME"] = str(root / ".turnabout" / "prefect")
    environment = {**ours, **os.environ}
    if home := environment.get("PREFECT_HOME"):
        Path(home).mkdir(parents=True, exist_ok=True)
    return environment


def _run_flow(root: Path, targets: Sequence[str], force: bool) -> int:
    """Run the flow in a session of its own and hand every request to stop on to it; its exit status.

    Afterwards nothing of its session is left: a cancelled flow sometimes leaves Prefect's temporary server behind.
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
    from turnabout.operations.headline import build_headline

    print()
    for line in build_headline(root / "metrics"):
        print(line)


def _print_locations(root: Path, names: Sequence[str]) -> None:
    """Say where the results are, and whether these stages brought the report up to date."""
    if "compare" in names:
        print(f"\narms of the user model: {root / ARM_TABLE}")
    report, older = root / REPORT, " (of an earlier run: `turnabout run report` brings it up to date)"
    if report.exists():
        print(f"\nreport: {report}{'' if 'report' in names else older}")
    else:
        print("\nreport: none yet (`turnabout run report` makes it)")
    print("`turnabout ui` starts MLflow and Prefect and says where.")
