"""MLflow's store: `MLFLOW_TRACKING_URI`, or a SQLite file in the project."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from turnabout.errors import ConfigError, TurnaboutError

EXPERIMENT = "turnabout"
FOLDER = Path(".turnabout")
ARTIFACTS = FOLDER / "mlartifacts"

#: Limits for calls to an MLflow server that is down: seconds instead of the four minutes of MLflow's default retries.
_CLIENT_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

_log = logging.getLogger("turnabout.tracking")


def find_store_uri(root: Path) -> str:
    """Return `MLFLOW_TRACKING_URI`, or the URI of the project's SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / FOLDER / 'mlflow.db').resolve()}"


def prepare_store(root: Path) -> str:
    """Create store and experiment if needed, and return the experiment's id.

    Call it once before anything runs in parallel: processes that create the same SQLite file at the same time corrupt
    it. Raises `ConfigError` if the store cannot be used.
    """
    configure_client()
    uri = find_store_uri(root)
    with require_store(uri):
        import mlflow

        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            location = None if uri.startswith("http") else (root / ARTIFACTS).resolve().as_uri()
            mlflow.create_experiment(EXPERIMENT, artifact_location=location)
        return str(mlflow.set_experiment(EXPERIMENT).experiment_id)


def configure_client() -> None:
    """Set the timeouts and log levels of MLflow's client.

    Call it before the first use of MLflow.
    """
    for name, value in _CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for logger, level in {"alembic": logging.WARNING, "mlflow": logging.WARNING, "urllib3": logging.ERROR}.items():
        logging.getLogger(logger).setLevel(level)


@contextmanager
def require_store(uri: str) -> Iterator[None]:
    """Turn failures of the store at `uri` into a `ConfigError` of one line."""
    try:
        yield
    except Exception as error:
        if not is_store_error(error):
            raise
        raise ConfigError(
            f"MLflow cannot use its store {uri}: {first_error_line(error)}; start that server or correct the address, "
            f"or unset MLFLOW_TRACKING_URI to keep runs in {FOLDER / 'mlflow.db'}"
        ) from error


@contextmanager
def warn_on_failure(record: str) -> Iterator[None]:
    """Log a warning if the store fails, instead of raising.

    A finished stage keeps its result. `record` names what could not be recorded.
    """
    try:
        yield
    except Exception as error:
        if not is_store_error(error):
            raise
        uri = os.environ.get("MLFLOW_TRACKING_URI", "its store")
        _log.warning("MLflow at %s did not record %s: %s", uri, record, first_error_line(error))


def is_store_error(error: Exception) -> bool:
    """Return whether the store or its environment caused an error.

    That is MLflow, its database, the network, the disk or a missing driver. Any other error is a bug of this
    package.
    """
    kinds: tuple[type[Exception], ...] = (TurnaboutError, OSError, ImportError)  # errors of `requests` are `OSError`s
    with suppress(ImportError):
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        kinds += (MlflowException, SQLAlchemyError)
    return isinstance(error, kinds)


def first_error_line(error: Exception) -> str:
    """Return the first line of an error without its full stop."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(". ")
