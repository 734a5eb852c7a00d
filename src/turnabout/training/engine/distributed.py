"""One training in several processes of this machine.

The processes share each batch (`torch.distributed`). Processes started by `accelerate launch` or `torchrun` are already
connected, through the same environment variables.
"""

import os
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from turnabout.errors import ConfigError, StageFailed, TurnaboutError


def count_started_processes() -> int:
    """Return how many processes the launcher started; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Return whether this is the process that writes files and logs."""
    return os.environ.get("RANK", "0") == "0"


class _Group(NamedTuple):
    """Settings of a group of processes, which put errors into `failures`."""

    size: int
    port: int
    threads: int
    failures: Any


def run_in_processes(work: Callable[[], None], n: int) -> None:
    """Run `work()` in `n` new connected processes.

    There is one process per GPU, or all are on the CPU. The first process that fails ends all. Its error is raised
    here: the same `TurnaboutError`, or `StageFailed` for any other one. Raises `ConfigError` if there are fewer GPUs
    than processes.
    """
    import torch
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    if torch.cuda.is_available() and torch.cuda.device_count() < n:
        n_gpus = torch.cuda.device_count()
        raise ConfigError(f"train_user.processes: {n}, but there are {n_gpus} GPUs; use at most one process per GPU")
    failures = torch.multiprocessing.get_context("spawn").SimpleQueue()
    threads = max(1, torch.get_num_threads() // n)
    group = _Group(size=n, port=_find_free_port(), threads=threads, failures=failures)
    try:
        torch.multiprocessing.spawn(_run_process, (group, work), nprocs=n)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not failures.empty():
            raise failures.get() from None
        raise StageFailed(
            f"one of {n} training processes failed and the others were ended: {error}; "
            "run again: training resumes from its last checkpoint"
        ) from None


def _run_process(rank: int, group: _Group, work: Callable[[], None]) -> None:
    """Run one process of the group: set its environment, then do the work."""
    import torch

    warnings.filterwarnings("ignore", category=FutureWarning)  # as in the process that started this one
    variables = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": group.size,
        "LOCAL_WORLD_SIZE": group.size,
        "MASTER_PORT": group.port,
        "OMP_NUM_THREADS": group.threads,
    }
    os.environ.update({name: str(value) for name, value in variables.items()}, MASTER_ADDR="127.0.0.1")
    torch.set_num_threads(group.threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    try:
        work()
    except TurnaboutError as error:
        group.failures.put(error)
        sys.exit(1)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _find_free_port() -> int:
    """Return a TCP port that is free on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
