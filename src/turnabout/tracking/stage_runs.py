"""One MLflow run per stage: what it was told, what it read and wrote, what it measured."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.pipeline.repro import Stage, content_hashes, stage_graph
from turnabout.tracking.chats import log_chats
from turnabout.tracking.figures import stage_curves, stage_metrics, stage_params
from turnabout.tracking.store import bookkeeping, prepare_store


def start_stage(name: str, parent: str) -> str | None:
    """The id of a new, running child of the pipeline run `parent`; None where the store fails, which is told."""
    with bookkeeping(f"the start of stage {name}"):
        import mlflow

        client = mlflow.MlflowClient()
        experiment = client.get_run(parent).info.experiment_id
        tags = {"mlflow.parentRunId": parent, **_tags(name)}
        return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    return None


def fail_stage(run_id: str, message: str) -> None:
    """End a stage's run as failed, with the end of its log."""
    with bookkeeping("a failed stage"):
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
    """Record a stage from its files: parameters, metrics, curves, tables with their hashes, models, chats.

    `run_id` continues the run that `start_stage` opened; without it (a stage run by DVC alone) a new one without a
    parent is made, tagged `by: dvc`.
    `status` is ran | run-cache | up-to-date; curves and chats are not repeated for what is up to date.
    A store that cannot be reached costs a warning, not the stage.
    """
    name = name.rpartition(":")[2]  # outside the root DVC prefixes the name with the way to its dvc.yaml
    with bookkeeping(f"stage {name}"):
        import mlflow

        experiment = prepare_store(root)
        stage: Stage = stage_graph(root).nodes[name]["stage"]
        with mlflow.start_run(run_id=run_id, experiment_id=experiment, run_name=None if run_id else name) as run:
            mlflow.set_tags({**_tags(name), "status": status, "mlflow.note.content": stage.desc})
            mlflow.set_tags({} if run_id else {"by": "dvc"})
            if status != "up-to-date":
                _log_curves(root, stage, run.info.run_id)
                for path in (out for out in stage.outs if out.startswith("data/rollouts/")):
                    log_chats(root / path, run.info.run_id, name)
            mlflow.log_params(_params(root, stage))
            mlflow.log_metrics(stage_metrics(root, stage.metrics) | dict(usage or {}))
            _log_files(root, stage)


def _params(root: Path, stage: Stage) -> dict[str, Any]:
    """The stage's parameters. An arm's own go without its name, so that MLflow lines up the arms it compares."""
    told = stage_params(root, stage.params)
    if stage.arm is None:
        return told
    own = re.compile(rf"(user_)?arms\.{stage.arm}\.")
    return {"arm": stage.arm} | {own.sub("arm.", k, count=1) if own.match(k) else k: v for k, v in told.items()}


def _tags(name: str) -> dict[str, str]:
    base, _, arm = name.partition("@")
    return {"stage": base, "arm": arm} if arm else {"stage": base}


def _log_files(root: Path, stage: Stage) -> None:
    """Tables read as dataset inputs, outputs by hash, models as external models, small results as artifacts."""
    import mlflow

    from turnabout.tracking.tables import is_table, log_table

    hashes = content_hashes(root, stage.name)
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
    """Log the points of its curves that the stage did not already log while it ran."""
    import mlflow
    from mlflow.entities import Metric

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    curves = stage_curves(root, stage)
    lived = curves.keys() & run.data.metrics.keys()
    known = {(name, point.step) for name in lived for point in client.get_metric_history(run_id, name)}
    points = [
        Metric(name, value, int(run.info.start_time), step)
        for name, curve in curves.items()
        for step, value in curve
        if (name, step) not in known
    ]
    for begin in range(0, len(points), 1000):  # MLflow takes 1,000 metrics at once
        client.log_batch(run_id, metrics=points[begin : begin + 1000])
