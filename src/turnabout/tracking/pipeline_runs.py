"""One MLflow run per pipeline run: code, configuration and main figures."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from turnabout.pipeline.project import REPORT
from turnabout.tracking.figures import flatten_params, read_stage_metrics
from turnabout.tracking.store import find_store_uri, prepare_store, require_store, warn_on_failure

#: Metrics files whose figures are repeated on the pipeline's run, so that MLflow's comparison page compares pipelines.
RESULTS = ("metrics/user.json", "metrics/assistants.json")


def start_pipeline(root: Path) -> str:
    """Start a pipeline run and return its id.

    It records the parameters, `params.yaml`, the git commit and whether the tree is dirty. Raises `ConfigError` if the
    store cannot be used.
    """
    experiment, tags = prepare_store(root), _read_git_tags(root)
    params = root / "params.yaml"
    entries = flatten_params(yaml.safe_load(params.read_text(encoding="utf-8")))
    with require_store(find_store_uri(root)):
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
    """End a pipeline run and record the hash of `dvc.lock`.

    `stages` are the stages that the run brought up to date. Results and report are recorded only if their stages were
    among them, because otherwise the files are older than the run.
    """
    current = stages if succeeded else ()
    results = read_stage_metrics(root, RESULTS) if "evaluate" in current else {}
    with warn_on_failure("the end of the pipeline run"):
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


def _read_git_tags(root: Path) -> dict[str, str]:
    """Return tags of the commit and of uncommitted changes.

    Untracked files do not count. The result is empty outside a git repository.
    """
    commit = _run_git(root, "rev-parse", "HEAD")
    changes = _run_git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {"mlflow.source.git.commit": commit, "git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def _run_git(root: Path, *arguments: str) -> str | None:
    completed = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return completed.stdout.strip() if completed.returncode == 0 else None
