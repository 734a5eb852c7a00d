"""Where MLflow keeps its runs: a SQLite file in the project unless `MLFLOW_TRACKING_URI` says otherwise."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from turnabout.errors import ConfigError, TurnaboutError

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
    processes that create the same SQLite file at once corrupt it. Raises `ConfigError` where the store cannot be used.
    """
    settle_client()
    uri = store_uri(root)
    with needed(uri):
        import mlflow

        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            location = None if uri.startswith("http") else (root / ARTIFACTS).resolve().as_uri()
            mlflow.create_experiment(EXPERIMENT, artifact_location=location)
        return str(mlflow.set_experiment(EXPERIMENT).experiment_id)


def settle_client() -> None:
    """Set how long MLflow's client waits for a server, and quiet its log; to be called before its first use."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    for chatty, level in {"alembic": logging.WARNING, "mlflow": logging.WARNING, "urllib3": logging.ERROR}.items():
        logging.getLogger(chatty).setLevel(level)


@contextmanager
def needed(uri: str) -> Iterator[None]:
    """Work on the store at `uri` without which nothing should start: its failure becomes one `ConfigError` line."""
    try:
        yield
    except Exception as error:
        if not of_the_store(error):
            raise
        raise ConfigError(
            f"MLflow cannot use its store {uri}: {first_line(error)}; start that server or mend the address, "
            f"or unset MLFLOW_TRACKING_URI to keep runs in {FOLDER / 'mlflow.db'}"
        ) from error


@contextmanager
def bookkeeping(what: str) -> Iterator[None]:
    """Work on the store whose failure is told but never costs a finished stage its result."""
    try:
        yield
    except Exception as error:
        if not of_the_store(error):
            raise
        place = os.environ.get("MLFLOW_TRACKING_URI", "its store")
        _log.warning("MLflow at %s did not record %s: %s", place, what, first_line(error))


def of_the_store(error: Exception) -> bool:
    """Whether MLflow, its database, network or disk failed, or a driver is missing; anything else is our mistake."""
    kinds: tuple[type[Exception], ...] = (TurnaboutError, OSError, ImportError)  # `requests` raises kinds of OSError
    with suppress(ImportError):
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        kinds += (MlflowException, SQLAlchemyError)
    return isinstance(error, kinds)


def first_line(error: Exception) -> str:
    """The error's first line, without the end of a sentence."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(". ")
