"""One training in several processes of this machine, which share each of its batches (`torch.distributed`).

Processes that `accelerate launch` or `torchrun` started know each other already, by the same variables.
"""

import os
import socket
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from turnabout.errors import ConfigError, StageFailed, TurnaboutError


def n_started() -> int:
    """How many processes the launcher of this one started; 1 where there was none."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes and logs."""
    return os.environ.get("RANK", "0") == "0"


def share(work: Callable[..., None], arguments: Sequence[Any], n: int) -> None:
    """Run `work(*arguments)` in `n` new processes that know each other: one per GPU, or on the CPU.

    The first that fails ends all; its error is raised here where it is a `TurnaboutError`, else `StageFailed`.
    """
    import torch
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    if torch.cuda.is_available() and torch.cuda.device_count() < n:
        raise ConfigError(f"train_user.processes: {n} came, but there are {torch.cuda.device_count()} GPUs; one each")
    failures = torch.multiprocessing.get_context("spawn").SimpleQueue()
    threads = max(1, torch.get_num_threads() // n)
    try:
        torch.multiprocessing.spawn(_one, (n, _free_port(), threads, work, arguments, failures), nprocs=n)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not failures.empty():
            raise failures.get() from None
        raise StageFailed(
            f"one of {n} training processes failed, the others were ended: {error}; "
            "run again: training goes on from its last checkpoint"
        ) from None


def _one(
    rank: int, n: int, port: int, threads: int, work: Callable[..., None], arguments: Sequence[Any], failures: Any
) -> None:
    """One of the processes; what it was to do goes wrong in `failures`."""
    import torch

    warnings.filterwarnings("ignore", category=FutureWarning)  # as in the process that started this one
    known = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in known.items()}, MASTER_ADDR="127.0.0.1")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    try:
        work(*arguments)
    except TurnaboutError as error:
        failures.put(error)
        sys.exit(1)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
