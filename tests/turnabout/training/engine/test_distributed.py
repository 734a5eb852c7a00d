"""Processes that share a training: how they know each other, and that the failure of one is everyone's."""

import os
import signal
import time
from pathlib import Path

import pytest

from turnabout.errors import ConfigError, ModelError, StageFailed
from turnabout.training.engine import distributed


def tell(folder: Path) -> None:
    """Each process writes what it knows; the second of them does not come back."""
    told = [distributed.n_started(), distributed.is_first(), os.environ["MASTER_ADDR"]]
    (folder / os.environ["RANK"]).write_text(repr(told))
    if not distributed.is_first():
        raise ModelError("the loss is nan")
    time.sleep(600)


def die() -> None:
    if not distributed.is_first():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


def test_processes_know_each_other_and_the_error_of_one_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the loss is nan"):
        distributed.share(tell, [tmp_path], 2)
    assert (tmp_path / "1").read_text() == "[2, False, '127.0.0.1']"


def test_a_process_that_is_killed_ends_all() -> None:
    with pytest.raises(StageFailed, match=r"one of 2 .* signal SIGKILL; run again: training goes on from its last"):
        distributed.share(die, [], 2)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"train_user\.processes: 2 came, but there are 1 GPUs; one each"):
        distributed.share(die, [], 2)


def test_a_process_that_nobody_launched_is_alone_and_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert (distributed.n_started(), distributed.is_first()) == (1, True)
