"""What every stage script shares: options from the signature, plain errors, and tracking only when run alone."""

import sys
from pathlib import Path

import pytest

from stages._command import command
from turnabout.errors import DataError

seen: list[object] = []


def stage(messages: Path, arm: str, params: Path = Path("params.yaml")) -> None:
    seen.append((messages, arm, params))
    if arm == "broken":
        raise DataError("no such table; run the stage that writes it")


@pytest.fixture(autouse=True)
def _outside_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    seen.clear()
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setitem(sys.modules, stage.__module__, sys.modules.get(stage.__module__, sys.modules[__name__]))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["stage", *words])
    command(stage)


def test_options_are_the_parameters_converted_by_their_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "--messages", "m.parquet", "--arm", "drift")
    assert seen == [(Path("m.parquet"), "drift", Path("params.yaml"))]


def test_a_mistake_of_the_user_ends_with_its_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="DataError: no such table; run the stage that writes it"):
        run(monkeypatch, "--messages", "m", "--arm", "broken")


def test_a_stage_is_recorded_under_dvc_but_not_under_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[str] = []
    monkeypatch.setattr("turnabout.tracking.record_stage", recorded.append)
    run(monkeypatch, "--messages", "m", "--arm", "drift")
    monkeypatch.setenv("DVC_STAGE", "mine")
    run(monkeypatch, "--messages", "m", "--arm", "drift")
    monkeypatch.setenv("TURNABOUT_FLOW", "1")
    run(monkeypatch, "--messages", "m", "--arm", "drift")
    assert recorded == ["mine"]
