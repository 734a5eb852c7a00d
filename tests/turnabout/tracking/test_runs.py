"""Pipeline and stage runs in a real MLflow store, from the files of the toy project."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.toy_project import make_project
from turnabout import tracking
from turnabout.processes import ProcessGroups
from turnabout.repro import reproduce, stage_graph, wanted_stages

DRIFT = "train_assistant@drift"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The toy project, reproduced, with an empty MLflow store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tracking")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
        root = make_project(folder / "project")
        for name in wanted_stages(stage_graph(root)):
            reproduce(root, name, ProcessGroups(), lambda _: None)
        tracking.prepare_store(root)
        yield root


@pytest.fixture
def client(project: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking.store_uri(project))


def recorded(client: Any, root: Path, name: str, status: str = "ran") -> Any:
    """The run of a stage recorded as a child of a new pipeline run."""
    run_id = tracking.start_stage(name, tracking.start_pipeline(root))
    assert client.get_run(run_id).info.status == "RUNNING"
    tracking.record_stage(name, root, run_id, status, {"seconds": 2.0})
    return client.get_run(run_id)


def test_a_training_stage_has_its_parameters_curve_model_and_table(project: Path, client: Any) -> None:
    run = recorded(client, project, DRIFT)
    md5 = hashlib.md5((project / "data/messages.parquet").read_bytes()).hexdigest()
    assert run.info.status == "FINISHED"
    assert run.data.params["arm"] == "drift"
    assert run.data.params["arms.drift.train.loss.beta"] == "0.1"
    assert run.data.tags["status"] == "ran"
    assert run.data.metrics["seconds"] == 2.0
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.9), (2, 0.5)]
    table = run.inputs.dataset_inputs[0].dataset
    assert (table.name, table.digest, table.profile) == ("data/messages.parquet", md5, '{"num_rows": 5}')
    models = client.search_logged_models([run.info.experiment_id])
    assert ("assistants-drift", run.info.run_id) in [(model.name, model.source_run_id) for model in models]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"metrics", "plots"}


def test_a_curve_logged_live_is_not_logged_again(project: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    run_id = tracking.start_stage(DRIFT, tracking.start_pipeline(project))
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    callback = tracking.live_curve()
    callback.on_log(None, SimpleNamespace(global_step=3), None, logs={"loss": 0.7})
    callback.on_log(None, SimpleNamespace(global_step=4), None, logs={"train_runtime": 1.0})
    monkeypatch.delenv("MLFLOW_RUN_ID")
    tracking.record_stage(DRIFT, project, run_id)
    assert [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")] == [(3, 0.7)]


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
    tracking.finish_pipeline(project, run_id, True, {"seconds": 9.0})
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["user.bits_per_character.trained.with_intent"] == 1.5
    assert run.data.metrics["assistants.drift.versus_untrained.follow_up_likelihood.low"] == -0.1
    assert run.data.params["arms.follow_up.construct.rule"] == "follow_up"
    assert run.data.tags["dvc.lock"] == hashlib.md5((project / "dvc.lock").read_bytes()).hexdigest()
    assert {file.path for file in client.list_artifacts(run_id)} == {"params.yaml", "dvc.lock", "index.html"}


def test_a_failed_stage_keeps_the_end_of_its_log(project: Path, client: Any) -> None:
    run_id = tracking.start_stage(DRIFT, tracking.start_pipeline(project))
    tracking.fail_stage(run_id, "no such luck")
    assert client.get_run(run_id).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(run_id)] == ["log_end.txt"]


def test_a_store_that_refuses_costs_a_warning_and_not_the_stage(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.record_stage(DRIFT, project, run_id="no-such-run")
    assert "did not record stage train_assistant@drift" in caplog.text


def test_without_a_flow_the_callback_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert type(tracking.live_curve()).__name__ == "TrainerCallback"
