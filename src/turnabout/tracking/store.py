"""Where MLflow keeps its runs: a SQLite file in the project unless `MLFLOW_TRACKING_URI` says otherwise."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXPERIMENT = "turnabout"
FOLDER = Path(".turnabout")
ARTIFACTS = FOLDER / "mlartifacts"

#: An MLflow server that is down costs seconds, not the four minutes of its default retries.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

_log = logging.getLogger("turnabout.tracking")


def store_uri(root: Path) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else the project's own SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / FOLDER / 'mlflow.db').resolve()}"


def prepare_store(root: Path) -> str:
    """The experiment's id, with store and experiment created. To be called once before anything runs in parallel:
    processes that create the same SQLite file at once corrupt it."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    uri = store_uri(root)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        location = None if uri.startswith("http") else (root / ARTIFACTS).resolve().as_uri()
        mlflow.create_experiment(EXPERIMENT, artifact_location=location)
    return str(mlflow.set_experiment(EXPERIMENT).experiment_id)


@contextmanager
def bookkeeping(what: str) -> Iterator[None]:
    """Work on the store whose failure is told but never costs a finished stage its result."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        _log.warning(
            "MLflow at %s did not record %s: %s", os.environ.get("MLFLOW_TRACKING_URI", "its store"), what, error
        )
