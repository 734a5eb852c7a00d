"""Start the servers of MLflow and Prefect, and show their addresses.

The servers can be reached from this machine only, and run until Ctrl-C. The path of the report is shown, too.
"""

import argparse
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from turnabout.errors import TurnaboutError

if TYPE_CHECKING:
    from turnabout.pipeline.processes import ProcessGroups

HOST = "127.0.0.1"
READY_SECONDS = 90


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the two ports."""
    options.epilog = "example: turnabout ui --mlflow-port 5001"
    options.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    for server, port in (("mlflow", 5000), ("prefect", 4200)):
        options.add_argument(
            f"--{server}-port", type=int, default=port, metavar="PORT", help="port; if it is taken, a free one is used"
        )


def execute(mlflow_port: int, prefect_port: int) -> int:
    """Serve until Ctrl-C or SIGTERM; return status 0."""
    from turnabout.pipeline.processes import ProcessGroups
    from turnabout.pipeline.project import REPORT, find_root

    root = find_root(Path.cwd())
    groups = ProcessGroups()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        mlflow, prefect = _start_mlflow(root, groups, mlflow_port), _start_prefect(root, groups, prefect_port)
        _wait_ready(mlflow, root)
        _wait_ready(f"{prefect}/api/health", root)
        report = root / REPORT
        print(f"MLflow   {mlflow}\nPrefect  {prefect}\nreport   {report if report.exists() else 'none yet'}")
        print("Ctrl-C ends both servers.", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        groups.end_all()
    return 0


def _start_mlflow(root: Path, groups: "ProcessGroups", port: int) -> str:
    """Start MLflow's server on the project's store; return its address.

    If the store is remote, return its own address and start nothing.
    """
    from turnabout.tracking.store import ARTIFACTS, find_store_uri, prepare_store

    uri = find_store_uri(root)
    if uri.startswith("http"):
        return uri
    prepare_store(root)
    port = _find_free_port(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", uri, "--artifacts-destination", str(root / ARTIFACTS)]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    _start_server(groups, command, root, env=env, name="mlflow")
    return f"http://{HOST}:{port}"


def _start_prefect(root: Path, groups: "ProcessGroups", port: int) -> str:
    """Start Prefect's server on the project's records; return its address.

    If `PREFECT_API_URL` is set, return that address and start nothing.
    """
    from turnabout.commands.run import build_flow_environment

    if "PREFECT_API_URL" in os.environ:
        return os.environ["PREFECT_API_URL"].removesuffix("/").removesuffix("/api")
    port = _find_free_port(port)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    # The pages call the API at this address; by default they would call port 4200, whatever listens there.
    api = f"http://{HOST}:{port}/api"
    env = {"PREFECT_UI_API_URL": api, **build_flow_environment(root), "PREFECT_API_URL": api}
    _start_server(groups, command, root, env=env, name="prefect")
    return f"http://{HOST}:{port}"


def _start_server(groups: "ProcessGroups", command: list[str], root: Path, *, env: dict[str, str], name: str) -> None:
    """Start a server that writes its output to `.turnabout/<name>.log`."""
    with (root / ".turnabout" / f"{name}.log").open("wb") as log:
        groups.start(command, root, env, log.fileno())


def _find_free_port(preferred: int) -> int:
    """Return the preferred port if nothing listens on it, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise TurnaboutError(f"no free port on {HOST}; end a server and try again")


def _wait_ready(address: str, root: Path) -> None:
    """Wait until the server answers.

    Raises `TurnaboutError` if it has not answered after `READY_SECONDS`.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    raise TurnaboutError(f"{address} did not answer within {READY_SECONDS} s; see the logs in {root / '.turnabout'}")
