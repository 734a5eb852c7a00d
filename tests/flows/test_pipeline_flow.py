"""The flow on the toy project: order, arms, failure and records.

All tests share a temporary Prefect server.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.source_tree import ROOT
from tests.toy_project import FAILING_RATE, SLEEPING_RATE, create_toy_project, set_learning_rate
from turnabout.core.forgetting import append_people
from turnabout.errors import ConfigError, DataError, StageFailed

pytestmark = pytest.mark.slow  # every test runs flows

UP_TO_DATE = "up-to-date"


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the toy project. Its tests run in order and build on one another."""
    folder = tmp_path_factory.mktemp("flow")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
        yield create_toy_project(folder / "project")


def run_pipeline(root: Path, *targets: str, force: bool = False) -> dict[str, str]:
    from flows.pipeline import turnabout_pipeline

    return turnabout_pipeline(list(targets), force, root)


def test_first_run_runs_and_records_every_stage(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    from turnabout.tracking import find_store_uri

    monkeypatch.setattr("flows.console.PROGRESS_SECONDS", 0.0)
    assert set(run_pipeline(project).values()) == {"ran"}
    assert (project / "report" / "index.html").exists()
    stored = json.loads((project / ".turnabout" / "last_run.json").read_text())
    assert len(stored["stages"]) == 6
    assert all(stage["seconds"] > 0 and stage["peak_memory_mb"] > 10 for stage in stored["stages"])
    shown = capsys.readouterr().out
    assert shown.index("ingest: ran") < shown.index("evaluate: started")
    assert re.search(
        r"^ingest: ran, \d+\.\d s: 5 messages of 5 conversations, 15 records rejected \(75 %\)$", shown, re.M
    )
    assert "\n  warning: b.jsonl: 15 records were rejected\n" in shown
    assert shown.endswith("\nwarnings of this run:\ningest: warning: b.jsonl: 15 records were rejected\n")
    assert "simulate_untrained: turns 100 % (3/3, about 0 s left)\n" in shown
    artifact = read_artifact()
    assert "| 5 messages of 5 conversations, 15 records rejected (75 %)<br>warning: b.jsonl: 15 records" in artifact
    client = MlflowClient(find_store_uri(project))
    experiment = client.get_experiment_by_name("turnabout")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == 7
    children = [run for name, run in runs.items() if name != "pipeline"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {runs["pipeline"].info.run_id}


def read_artifact() -> str:
    """Return the newest artifact of Prefect that lists the stages."""
    from prefect.artifacts import Artifact

    artifact: Any = Artifact.get("stages")
    assert artifact is not None
    return str(artifact.data)


def test_changed_parameter_reruns_its_arm_and_the_stages_after_it(project: Path) -> None:
    set_learning_rate(project, "drift", 0.5)
    assert run_pipeline(project) == {
        "ingest": UP_TO_DATE,
        "train_assistant@drift": "ran",
        "train_assistant@follow_up": UP_TO_DATE,
        "simulate_untrained": UP_TO_DATE,
        "evaluate": "ran",
        "report": "ran",
    }


def test_stage_of_another_pipeline_runs_when_it_is_named(project: Path) -> None:
    assert run_pipeline(project, "ablate@tenth") == {"ingest": UP_TO_DATE, "ablate@tenth": "ran"}
    assert json.loads((project / "ablations/metrics/tenth.json").read_text()) == {"share": 0.1}


def test_unwatched_stage_runs_when_it_is_up_to_date(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_pipeline(project, "train_assistant@drift")
    monkeypatch.setattr("flows.pipeline.list_unwatched_stages", lambda root: frozenset({"ingest"}))
    assert run_pipeline(project, "train_assistant@drift") == {"ingest": "ran", "train_assistant@drift": "up-to-date"}


def test_force_runs_up_to_date_stages_of_the_target_only(project: Path) -> None:
    assert run_pipeline(project, "train_assistant@drift", force=True) == {
        "ingest": "ran",
        "train_assistant@drift": "ran",
    }


def test_flow_refuses_a_password_in_params_before_logging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnabout.tracking.start_pipeline", lambda root: pytest.fail("logged"))
    root = create_toy_project(tmp_path)
    source = "{format: sql, url: 'postgresql://ann:hunter2@host/chats', table: messages}"
    shipped = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(shipped.replace("{format: chitchat}", source))
    with pytest.raises(ConfigError, match="a password is written out in the address") as refused:
        run_pipeline(root)
    assert "hunter2" not in str(refused.value)


def test_missing_logs_stop_the_flow_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnabout.tracking.start_pipeline", lambda root: pytest.fail("logged"))
    root = create_toy_project(tmp_path)
    shipped = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(shipped.replace("{format: chitchat}", "{format: auto, path: 'logs/*.jsonl'}"))
    with pytest.raises(DataError, match=r"path 'logs/\*\.jsonl' holds no log file"):
        run_pipeline(root)


def test_flow_erases_what_older_runs_kept_of_forgotten_people(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    from turnabout.tracking import find_store_uri

    run_pipeline(project)
    client = MlflowClient(find_store_uri(project))
    experiment = client.get_experiment_by_name("turnabout")
    assert experiment is not None
    old = {item.info.run_id for item in client.search_runs([experiment.experiment_id]) if list_files(client, item)}
    assert old
    (project / "forgotten.txt").write_text(append_people("", ["ann"]))
    capsys.readouterr()
    run_pipeline(project, force=True)
    assert f"forgotten people: 0 stored answers, the files of {len(old)} earlier runs" in capsys.readouterr().out
    runs = client.search_runs([experiment.experiment_id])
    assert not any(list_files(client, item) for item in runs if item.info.run_id in old)
    assert any(list_files(client, item) for item in runs)
    run_pipeline(project)
    assert "forgotten people" not in capsys.readouterr().out


def list_files(client: Any, item: Any) -> list[Any]:
    """Return the files of a run in MLflow."""
    return list(client.list_artifacts(item.info.run_id))


def test_flow_stops_before_any_stage_when_the_store_is_unreachable(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConfigError, match=r"cannot use its store http://127\.0\.0\.1:9: "):
        run_pipeline(project, force=True)
    assert "started" not in capsys.readouterr().out


def test_flow_runs_every_stage_when_the_store_is_lost(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnabout.tracking.start_stage", lambda *_: None)
    assert run_pipeline(project, "train_assistant@drift", force=True) == {
        "ingest": "ran",
        "train_assistant@drift": "ran",
    }


def test_failing_stage_fails_the_flow_but_not_other_branches(project: Path) -> None:
    set_learning_rate(project, "drift", FAILING_RATE)
    set_learning_rate(project, "follow_up", 0.7)
    with pytest.raises(StageFailed) as failure:
        run_pipeline(project)
    assert "no such luck" in str(failure.value)
    *_, skipped, blank, error = str(failure.value).splitlines()
    assert (skipped, blank) == ("not run because of it: evaluate, report", "")
    assert error == "train_assistant@drift: no such luck"
    assert (project / "models/assistants/follow_up/weights").read_text() == "0.7"


def test_interrupt_ends_the_running_stage(project: Path) -> None:
    set_learning_rate(project, "drift", SLEEPING_RATE)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    command = [sys.executable, "-m", "flows.pipeline", "train_assistant@drift"]
    flow = subprocess.Popen(command, cwd=project, env={**os.environ, "PYTHONPATH": paths}, start_new_session=True)
    stage = _wait_for_stage(flow.pid)
    flow.send_signal(signal.SIGINT)
    assert flow.wait(30) == 130
    assert not stage.is_running()


def _wait_for_stage(pid: int) -> psutil.Process:
    """Return the sleeping stage of the flow with this process id."""
    for _ in range(600):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # a child of DVC or Prefect that has just ended
                if process.cmdline()[1:] == ["work.py", "train_assistant", "drift"]:
                    return process
        time.sleep(0.1)
    raise AssertionError("the stage did not start within a minute")
