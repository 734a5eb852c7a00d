"""Processes that share a training: connection and failures."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from turnabout.errors import ConfigError, ModelError, StageFailed
from turnabout.training.engine import distributed


def report_and_fail(folder: Path) -> None:
    """Write what the process knows; then the second process fails.

    The first one waits.
    """
    known = [distributed.count_started_processes(), distributed.is_first_process(), os.environ["MASTER_ADDR"]]
    (folder / os.environ["RANK"]).write_text(repr(known))
    if not distributed.is_first_process():
        raise ModelError("the loss is nan")
    time.sleep(600)


def kill_second_process() -> None:
    if not distributed.is_first_process():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


def test_processes_are_connected_and_the_error_of_one_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the loss is nan"):
        distributed.run_in_processes(partial(report_and_fail, tmp_path), 2)
    assert (tmp_path / "1").read_text() == "[2, False, '127.0.0.1']"


def test_killed_process_ends_all() -> None:
    with pytest.raises(StageFailed, match=r"one of 2 .* signal SIGKILL; run again: training resumes from its last"):
        distributed.run_in_processes(kill_second_process, 2)


def test_more_processes_than_gpus_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"train_user\.processes: 2, but there are 1 GPUs; use at most one"):
        distributed.run_in_processes(kill_second_process, 2)


def test_process_without_a_launcher_is_alone_and_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert (distributed.count_started_processes(), distributed.is_first_process()) == (1, True)
