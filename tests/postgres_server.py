"""A PostgreSQL server for tests on a free port of 127.0.0.1.

It runs the binaries of Debian's package.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: Holds characters that have a meaning in an address, to test that they are escaped.
PASSWORD = "p@ss/w:rd%"


class PostgresServer(NamedTuple):
    """Port and log of a server.

    The user is `ann`, the password `PASSWORD`, the database `postgres`.
    """

    port: int
    log: Path


def find_binaries() -> Path | None:
    """Return the folder of `initdb` and `pg_ctl` of the newest version.

    None where the server is not installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return programs[-1].parent if programs else None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server until the block ends. Its data are in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        server = PostgresServer(_find_free_port(), folder / "log")
        _start_server(folder, server)
        yield server
    finally:
        _run_program("pg_ctl", "stop", "-D", folder / "data", "-m", "immediate", check=False)
        shutil.rmtree(folder)


def _start_server(folder: Path, server: PostgresServer) -> None:
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        for path in (folder, folder / "password"):
            shutil.chown(path, "nobody", "nogroup")
    data = folder / "data"
    _run_program(
        "initdb", "-D", data, "-U", "ann", "--pwfile", folder / "password", "-A", "scram-sha-256", "-N", "-E", "UTF8"
    )
    options = f"-p {server.port} -h 127.0.0.1 -k {folder} -F"
    _run_program("pg_ctl", "start", "-D", data, "-w", "-l", server.log, "-o", options)


def _run_program(program: str, *arguments: object, check: bool = True) -> None:
    unprivileged = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    command = [str(part) for part in ((find_binaries() or Path()) / program, *arguments)]
    subprocess.run(command, check=check, stdout=subprocess.DEVNULL, cwd="/", **unprivileged)  # type: ignore[call-overload]


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
