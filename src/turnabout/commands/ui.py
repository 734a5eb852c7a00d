"""Start MLflow and Prefect on this machine alone and say where they and the report are, until Ctrl-C."""

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
    """The two ports; a taken one is replaced by a free one."""
    options.add_argument("--mlflow-port", type=int, default=5000)
    options.add_argument("--prefect-port", type=int, default=4200)


def execute(mlflow_port: int, prefect_port: int) -> int:
    """Serve until Ctrl-C or SIGTERM; status 0."""
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
    """The address of MLflow's server on the project's store, starting; a remote store's own address as it is."""
    from turnabout.tracking.store import ARTIFACTS, prepare_store, find_store_uri

    uri = find_store_uri(root)
    if uri.startswith("http"):
        return uri
    prepare_store(root)
    port = _find_free_port(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", uri, "--artifacts-destination", str(root / ARTIFACTS)]
    _start_server(groups, command, root, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, "mlflow")
    return f"http://{HOST}:{port}"


def _start_prefect(root: Path, groups: "ProcessGroups", port: int) -> str:
    """The address of Prefect's server on the project's records, starting; `PREFECT_API_URL`'s where that is set."""
    from turnabout.commands.run import build_flow_environment

    if "PREFECT_API_URL" in os.environ:
        return os.environ["PREFECT_API_URL"].removesuffix("/").removesuffix("/api")
    port = _find_free_port(port)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    _start_server(groups, command, root, build_flow_environment(root), "prefect")
    return f"http://{HOST}:{port}"


def _start_server(groups: "ProcessGroups", command: list[str], root: Path, env: dict[str, str], name: str) -> None:
    """Start a server whose output goes to `.turnabout/<name>.log`."""
    with (root / ".turnabout" / f"{name}.log").open("wb") as log:
        groups.start(command, root, env, log.fileno())


def _find_free_port(wanted: int) -> int:
    """The wanted port where nothing listens on it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise TurnaboutError(f"no free port on {HOST}; end a server and try again")


def _wait_ready(address: str, root: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    raise TurnaboutError(f"{address} did not answer within {READY_SECONDS} s; see the logs in {root / '.turnabout'}")
