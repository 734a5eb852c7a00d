"""Pipeline and stage runs in a real MLflow store, from the files of the toy project."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from requests.exceptions import ConnectionError as NoConnection
from sqlalchemy.exc import SQLAlchemyError

from tests.toy_project import create_toy_project
from turnabout import tracking
from turnabout.errors import ConfigError
from turnabout.pipeline.processes import ProcessGroups
from turnabout.pipeline.repro import hash_contents, load_stage_graph, reproduce_stage, select_stages
from turnabout.tracking.store import warn_on_failure

DRIFT = "train_assistant@drift"

#: An address where nothing listens.
NOBODY = "http://127.0.0.1:9"

FAILURES = [
    MlflowException("gone"),
    SQLAlchemyError("gone"),
    NoConnection("gone"),
    OSError("gone"),
    ImportError("gone"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The toy project, reproduced, with an empty MLflow store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tracking")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
        root = create_toy_project(folder / "project")
        graph = load_stage_graph(root)
        for name in [*select_stages(graph), "ablate@tenth"]:
            pipeline = graph.nodes[name]["stage"].pipeline
            reproduce_stage(root, name, ProcessGroups(), lambda _: None, pipeline=pipeline)
        tracking.prepare_store(root)
        yield root


@pytest.fixture
def client(project: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking.find_store_uri(project))


@contextmanager
def lost(monkeypatch: pytest.MonkeyPatch, uri: str = NOBODY) -> Iterator[None]:
    """MLflow pointed at a store that cannot be used, and asked once only."""
    import mlflow

    before = mlflow.get_tracking_uri()
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        mlflow.set_tracking_uri(uri)
        yield
    mlflow.set_tracking_uri(before)


def started(name: str, root: Path) -> str:
    """The id of a stage's run under a new pipeline run."""
    run_id = tracking.start_stage(name, tracking.start_pipeline(root))
    assert run_id is not None
    return run_id


def recorded(client: Any, root: Path, name: str, status: str = "ran") -> Any:
    """The run of a stage recorded as a child of a new pipeline run."""
    run_id = started(name, root)
    assert client.get_run(run_id).info.status == "RUNNING"
    tracking.record_stage(name, root, run_id, status, {"seconds": 2.0})
    return client.get_run(run_id)


def test_a_training_stage_has_its_parameters_curve_model_and_table(project: Path, client: Any) -> None:
    run = recorded(client, project, DRIFT)
    md5 = hash_contents(project, DRIFT)["data/messages"]
    assert run.info.status == "FINISHED"
    assert run.data.params["arm"] == "drift"
    assert run.data.params["arm.train.loss.beta"] == "0.1"
    assert run.data.tags["status"] == "ran"
    assert run.data.metrics["seconds"] == 2.0
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.9), (2, 0.5)]
    table = run.inputs.dataset_inputs[0].dataset
    assert (table.name, table.digest, table.profile) == ("data/messages", md5, '{"num_rows": 5}')
    models = client.search_logged_models([run.info.experiment_id])
    assert ("assistants-drift", run.info.run_id) in [(model.name, model.source_run_id) for model in models]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"metrics", "plots"}


def test_a_stage_of_another_pipeline_is_recorded_by_its_name_alone(project: Path, client: Any) -> None:
    run = recorded(client, project, "ablate@tenth")
    entry = {"arm.start": "smollm2-135m-instruct", "arm.detail": "high_level", "arm.share": "0.1"}
    entry["arm.learning_rate"] = "0.0001"
    assert run.data.params == {"arm": "tenth", **entry}
    assert run.data.metrics == {"share": 0.1, "seconds": 2.0}
    tracking.record_stage("ablations/dvc.yaml:ablate@tenth", project)  # as DVC names it to a stage it runs itself
    alone = client.search_runs([run.info.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)[0]
    assert (alone.info.run_name, alone.data.tags["by"], alone.data.params) == ("ablate@tenth", "dvc", run.data.params)


def test_a_curve_logged_live_is_completed_and_not_repeated(
    project: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started(DRIFT, project)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    callback: Any = tracking.make_curve_callback()
    callback.on_log(None, SimpleNamespace(global_step=1), None, logs={"loss": 0.7, "tokens": 600.0, "seconds": 2.0})
    callback.on_log(None, SimpleNamespace(global_step=4), None, logs={"train_runtime": 1.0})
    monkeypatch.delenv("MLFLOW_RUN_ID")
    tracking.record_stage(DRIFT, project, run_id)
    curve = client.get_metric_history(run_id, "loss")
    assert sorted((point.step, point.value) for point in curve) == [(1, 0.7), (2, 0.5)]
    speed = client.get_metric_history(run_id, "tokens_per_second")
    assert [(point.step, point.value) for point in speed] == [(1, 300.0)]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_failure_of_the_store_in_a_training_is_told_once_and_ends_the_live_curve(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def fail(*_: Any, metrics: Any) -> None:
        asked.append(metrics[0].step)
        raise error

    monkeypatch.setenv("MLFLOW_RUN_ID", "some-run")
    monkeypatch.setattr("mlflow.MlflowClient.log_batch", fail)
    callback: Any = tracking.make_curve_callback()
    for step in (1, 2, 3):
        callback.on_log(
            None, SimpleNamespace(global_step=step), None, logs={"loss": 0.7, "tokens": 600.0, "seconds": 2.0}
        )
    assert asked == [1]
    assert [record.getMessage().endswith("the live curve of the training: gone") for record in caplog.records] == [True]


def test_a_mistake_of_ours_is_not_taken_for_a_failure_of_the_store() -> None:
    with pytest.raises(KeyError), warn_on_failure("a stage"):
        raise KeyError("stage")


def test_simulated_conversations_are_sessions_with_one_trace_per_reply(project: Path, client: Any) -> None:
    import mlflow

    run = recorded(client, project, "simulate_untrained")
    sessions = mlflow.search_sessions(locations=[run.info.experiment_id], run_id=run.info.run_id)
    assert {session.id for session in sessions} == {f"s{number}-{run.info.run_id[:8]}" for number in (1, 2)}
    replies = [trace.data.spans[0].outputs["choices"][0]["message"]["content"] for trace in sessions[0].traces]
    histories = [len(trace.data.spans[0].inputs["messages"]) for trace in sessions[0].traces]
    assert sorted(zip(histories, replies, strict=True)) == [(1, "hello"), (3, "see you")]


def test_what_is_up_to_date_keeps_its_metrics_but_repeats_no_chats(project: Path, client: Any) -> None:
    import mlflow

    run = recorded(client, project, "simulate_untrained", "up-to-date")
    assert run.data.tags["status"] == "up-to-date"
    assert mlflow.search_sessions(locations=[run.info.experiment_id], run_id=run.info.run_id) == []


def test_the_pipeline_run_carries_results_report_and_lock(project: Path, client: Any) -> None:
    run_id = tracking.start_pipeline(project)
    tracking.finish_pipeline(project, run_id, True, {"seconds": 9.0}, ["evaluate", "report"])
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["user.bits_per_character.trained.with_intent"] == 1.5
    assert run.data.metrics["assistants.drift.versus_untrained.follow_up_likelihood.low"] == -0.1
    assert run.data.params["arms.follow_up.pairs.rule"] == "follow_up"
    assert run.data.tags["dvc.lock"] == hashlib.md5((project / "dvc.lock").read_bytes()).hexdigest()
    assert {file.path for file in client.list_artifacts(run_id)} == {"params.yaml", "dvc.lock", "index.html"}


@pytest.mark.parametrize(("succeeded", "stages"), [(True, ["ingest", DRIFT]), (False, ["evaluate", "report"])])
def test_results_that_this_run_did_not_bring_up_to_date_are_not_its_own(
    project: Path, client: Any, succeeded: bool, stages: list[str]
) -> None:
    run_id = tracking.start_pipeline(project)
    tracking.finish_pipeline(project, run_id, succeeded, {"seconds": 9.0}, stages)
    assert client.get_run(run_id).data.metrics == {"seconds": 9.0}
    assert {file.path for file in client.list_artifacts(run_id)} == {"params.yaml", "dvc.lock"}


def test_long_reasons_are_a_table_of_a_run_that_succeeded(
    project: Path, client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reason = "of no known format: " + "key " * 95  # 20 + 380 = 400 characters; MLflow allows 250 in a metric's name
    metrics = project / "metrics/train_assistant/drift.json"
    shipped = metrics.read_text()
    metrics.write_text(json.dumps({"n_rejected": 7, "rejected_by_reason": {reason: 5, "cut off": 2}}))
    run = recorded(client, project, DRIFT)
    metrics.write_text(shipped)
    assert (run.info.status, caplog.text) == ("FINISHED", "")
    assert run.data.metrics["n_rejected"] == 7.0
    assert not any("reason" in name for name in run.data.metrics)
    table = json.loads(Path(client.download_artifacts(run.info.run_id, "tables/rejected_by_reason.json")).read_text())
    assert table == {"columns": ["reason", "n"], "data": [[reason, 5], ["cut off", 2]]}


def test_a_failed_stage_keeps_the_end_of_its_log(project: Path, client: Any) -> None:
    run_id = started(DRIFT, project)
    tracking.fail_stage(run_id, "no such luck")
    assert client.get_run(run_id).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(run_id)] == ["log_end.txt"]


def test_a_store_that_refuses_costs_a_warning_and_not_the_stage(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.record_stage(DRIFT, project, run_id="no-such-run")
    assert "did not record stage train_assistant@drift" in caplog.text


def test_a_store_that_is_lost_on_the_way_costs_warnings_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parent = tracking.start_pipeline(project)
    with lost(monkeypatch):
        assert tracking.start_stage(DRIFT, parent) is None
        tracking.fail_stage("some-run", "no such luck")
        tracking.record_stage(DRIFT, project)
        tracking.finish_pipeline(project, parent, True, {}, [])
    logged = [record.getMessage() for record in caplog.records if record.name == "turnabout.tracking"]
    what = [f"the start of stage {DRIFT}", "a failed stage", f"stage {DRIFT}", "the end of the pipeline run"]
    assert len(logged) == 4
    assert all(f"did not record {each}:" in line for each, line in zip(what, logged, strict=True))


def test_a_flow_does_not_start_without_its_store(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lost(monkeypatch), pytest.raises(ConfigError) as failure:
        tracking.start_pipeline(project)
    logged = str(failure.value)
    assert logged.startswith(f"MLflow cannot use its store {NOBODY}: ")
    assert "unset MLFLOW_TRACKING_URI to keep runs in .turnabout/mlflow.db" in logged
    assert "\n" not in logged


def test_a_database_without_its_driver_is_told_plainly(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        lost(monkeypatch, "postgresql+nodriver://nobody@127.0.0.1:9/runs"),
        pytest.raises(ConfigError, match="correct the address"),
    ):
        tracking.start_pipeline(project)


def test_a_server_that_is_down_is_asked_three_times_and_not_for_minutes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "")  # restored afterwards
        monkeypatch.delenv(name)
    tracking.prepare_store(project)
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "20"


def test_a_stage_of_plain_dvc_is_a_run_of_its_own_that_says_so(project: Path, client: Any) -> None:
    experiment = tracking.prepare_store(project)
    tracking.record_stage(DRIFT, project)
    run = client.search_runs([experiment], order_by=["attributes.start_time DESC"], max_results=1)[0]
    assert run.data.tags["by"] == "dvc"
    assert "mlflow.parentRunId" not in run.data.tags
    assert "by" not in recorded(client, project, DRIFT).data.tags


def test_without_a_flow_the_callback_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert type(tracking.make_curve_callback()).__name__ == "TrainerCallback"
