"""One MLflow run per pipeline run: which code, which data, which configuration, and the figures worth comparing."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from turnabout.pipeline.project import REPORT
from turnabout.tracking.figures import flat, stage_metrics
from turnabout.tracking.store import bookkeeping, needed, prepare_store, store_uri

#: Figures of the whole pipeline, repeated on its run so that MLflow's comparison page compares pipelines.
RESULTS = ("metrics/user.json", "metrics/assistants.json")


def start_pipeline(root: Path) -> str:
    """The id of a new pipeline run with its parameters, `params.yaml`, git commit and dirty flag.

    Raises `ConfigError` where the store cannot be used.
    """
    experiment, tags = prepare_store(root), _git(root)
    params = root / "params.yaml"
    entries = flat(yaml.safe_load(params.read_text(encoding="utf-8")))
    with needed(store_uri(root)):
        import mlflow

        with mlflow.start_run(experiment_id=experiment, run_name="pipeline") as run:
            mlflow.set_tags(tags)
            mlflow.log_params(entries)
            mlflow.log_artifact(str(params))
            run_id = str(run.info.run_id)
        mlflow.MlflowClient().update_run(run_id, status="RUNNING")
    return run_id


def finish_pipeline(
    root: Path, run_id: str, succeeded: bool, usage: Mapping[str, float], stages: Sequence[str]
) -> None:
    """End the run of a pipeline that was to bring `stages` up to date, with the hash of `dvc.lock`.

    Results and report are those files only where their stages were among them: what lies there otherwise is older.
    """
    current = stages if succeeded else ()
    results = stage_metrics(root, RESULTS) if "evaluate" in current else {}
    with bookkeeping("the end of the pipeline run"):
        import mlflow

        client = mlflow.MlflowClient()
        for name, value in {**usage, **results}.items():
            client.log_metric(run_id, name, value)
        for path in (root / "dvc.lock", *([root / REPORT] if "report" in current else [])):
            if path.exists():
                client.log_artifact(run_id, str(path))
        if (root / "dvc.lock").exists():
            client.set_tag(run_id, "dvc.lock", hashlib.md5((root / "dvc.lock").read_bytes()).hexdigest())
        client.set_terminated(run_id, "FINISHED" if succeeded else "FAILED")


def _git(root: Path) -> dict[str, str]:
    """Commit and dirty flag (tracked files with uncommitted changes); nothing outside a git repository."""
    told = [_asked(root, "rev-parse", "HEAD"), _asked(root, "status", "--porcelain", "--untracked-files=no")]
    if told[0] is None or told[1] is None:
        return {}
    return {"mlflow.source.git.commit": told[0], "git.commit": told[0], "git.dirty": str(bool(told[1])).lower()}


def _asked(root: Path, *question: str) -> str | None:
    answer = subprocess.run(["git", *question], cwd=root, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None
