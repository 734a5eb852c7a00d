"""One MLflow run per stage: parameters, inputs, outputs and metrics."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.pipeline.repro import Stage, hash_contents, load_stage_graph
from turnabout.tracking.chats import log_chats
from turnabout.tracking.figures import read_stage_curves, read_stage_metrics, read_stage_params, read_stage_tables
from turnabout.tracking.store import prepare_store, warn_on_failure


def start_stage(name: str, parent: str) -> str | None:
    """Start a child run of the pipeline run `parent` and return its id.

    If the store fails, a warning is logged and None is returned.
    """
    with warn_on_failure(f"the start of stage {name}"):
        import mlflow

        client = mlflow.MlflowClient()
        experiment = client.get_run(parent).info.experiment_id
        tags = {"mlflow.parentRunId": parent, **_tags(name)}
        return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    return None


def fail_stage(run_id: str, message: str) -> None:
    """End a stage's run as failed and attach the end of its log."""
    with warn_on_failure("a failed stage"):
        import mlflow

        client = mlflow.MlflowClient()
        client.set_tag(run_id, "status", "failed")
        client.log_text(run_id, message, "log_end.txt")
        client.set_terminated(run_id, "FAILED")


def record_stage(
    name: str,
    root: Path = Path("."),
    run_id: str | None = None,
    status: str = "ran",
    usage: Mapping[str, float] | None = None,
) -> None:
    """Record a finished stage from its files.

    It records parameters, metrics, counts by reason, curves, tables, models and chats. `run_id` continues the run
    that `start_stage` opened. Without it (DVC runs the stage outside the flow) a new run without a parent is made,
    with the tag `by: dvc`. `status` is ran | run-cache | up-to-date; curves and chats are not logged again for a
    stage that is up to date. If the store cannot be reached, a warning is logged.
    """
    name = name.rpartition(":")[2]  # outside the root DVC prefixes the name with the path of its dvc.yaml
    with warn_on_failure(f"stage {name}"):
        import mlflow

        experiment = prepare_store(root)
        stage: Stage = load_stage_graph(root).nodes[name]["stage"]
        with mlflow.start_run(run_id=run_id, experiment_id=experiment, run_name=None if run_id else name) as run:
            mlflow.set_tags({**_tags(name), "status": status, "mlflow.note.content": stage.desc})
            mlflow.set_tags({} if run_id else {"by": "dvc"})
            if status != "up-to-date":
                _log_curves(root, stage, run.info.run_id)
                for path in (out for out in stage.outs if out.startswith("data/rollouts/")):
                    log_chats(root / path, run.info.run_id, name)
            mlflow.log_params(_name_params(root, stage))
            mlflow.log_metrics(read_stage_metrics(root, stage.metrics) | dict(usage or {}))
            for table_name, table in read_stage_tables(root, stage.metrics).items():
                mlflow.log_table(table, f"tables/{table_name}.json")
            _log_files(root, stage)


def _name_params(root: Path, stage: Stage) -> dict[str, Any]:
    """Return the parameters of a stage under names that all arms share.

    `arms.<name>.` becomes `arm.`, so that MLflow can compare arms.
    """
    params = read_stage_params(root, stage.params)
    if stage.arm is None:
        return params
    prefix = re.compile(rf"^(user_)?arms\.{stage.arm}\.")
    return {"arm": stage.arm} | {prefix.sub("arm.", name, count=1): value for name, value in params.items()}


def _tags(name: str) -> dict[str, str]:
    base, _, arm = name.partition("@")
    return {"stage": base, "arm": arm} if arm else {"stage": base}


def _log_files(root: Path, stage: Stage) -> None:
    """Log inputs and outputs of a stage.

    Input tables are logged as datasets, outputs by hash, models as external models, small results as artifacts.
    """
    import mlflow

    from turnabout.tracking.tables import is_table, log_table

    hashes = hash_contents(root, stage.name)
    for path in (dep for dep in stage.deps if dep in hashes and is_table(root / dep)):
        log_table(root / path, path, hashes[path])
    mlflow.set_tags({f"dvc.{path}": hashes[path] for path in stage.outs if path in hashes})
    for path in (out for out in stage.outs if out in hashes):
        if path.startswith("models/"):
            tags = {"path": path, "dvc_md5": hashes[path]}
            model_name = path.removeprefix("models/").replace("/", "-")
            mlflow.create_external_model(name=model_name, model_type=stage.name.partition("@")[0], tags=tags)
        elif path.endswith((".json", ".csv", ".html", ".md")):
            mlflow.log_artifact(str(root / path), artifact_path=os.path.dirname(path))


def _log_curves(root: Path, stage: Stage, run_id: str) -> None:
    """Log the points of the curves that were not logged while the stage ran."""
    import mlflow
    from mlflow.entities import Metric

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    curves = read_stage_curves(root, stage)
    points: list[Metric] = []
    for name, curve in curves.items():
        history = client.get_metric_history(run_id, name) if name in run.data.metrics else []
        known = {point.step for point in history}
        points += [Metric(name, value, int(run.info.start_time), step) for step, value in curve if step not in known]
    for begin in range(0, len(points), 1000):  # MLflow accepts at most 1,000 metrics per call
        client.log_batch(run_id, metrics=points[begin : begin + 1000])
