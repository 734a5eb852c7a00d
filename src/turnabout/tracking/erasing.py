"""Removal of people's texts from earlier runs in MLflow."""

from pathlib import Path
from typing import NamedTuple

from turnabout.tracking.store import EXPERIMENT, find_store_uri, prepare_store, require_store

#: Traces deleted per call; MLflow allows no more.
PAGE_SIZE = 100


class ErasedCounts(NamedTuple):
    """Number of runs whose files were removed, and number of traces deleted."""

    n_runs: int
    n_traces: int


def erase_earlier(root: Path, since: float) -> ErasedCounts:
    """Remove people's texts from runs that started before `since`.

    `since` is in Unix seconds. Files and chats are removed; parameters, tags and metrics stay, so that runs can
    still be compared. A local SQLite store is rewritten, because deleted rows otherwise stay in its free pages. The
    database of a server must be rewritten by its administrator.
    """
    experiment, before = prepare_store(root), int(since * 1000)
    with require_store(find_store_uri(root)):
        erased = ErasedCounts(_erase_files(before), _erase_traces(experiment, before))
    if find_store_uri(root).startswith("sqlite:///"):
        vacuum_database(Path(find_store_uri(root).removeprefix("sqlite:///")))
    return erased


def vacuum_database(database: Path) -> None:
    """Rewrite a SQLite file and its write-ahead log without free pages."""
    import sqlite3

    with sqlite3.connect(database, timeout=60, isolation_level=None) as connection:
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def _erase_files(before: int) -> int:
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"attributes.start_time < {before}",
        run_view_type=mlflow.entities.ViewType.ALL,
        output_format="list",
    )
    n_runs = 0
    for run in runs:
        files = get_artifact_repository(run.info.artifact_uri)
        paths = [entry.path for entry in files.list_artifacts()]
        for path in paths:
            files.delete_artifacts(path)
        n_runs += bool(paths)
    return n_runs


def _erase_traces(experiment: str, before: int) -> int:
    """Delete traces and their files; MLflow itself deletes only the rows."""
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client, n_traces = mlflow.MlflowClient(), 0
    while traces := client.search_traces(
        locations=[experiment],
        filter_string=f"attributes.timestamp_ms < {before}",
        max_results=PAGE_SIZE,
        include_spans=False,
    ):
        for trace in traces:
            if location := trace.info.tags.get("mlflow.artifactLocation"):
                get_artifact_repository(location).delete_artifacts("")
        n_traces += client.delete_traces(experiment, trace_ids=[trace.info.trace_id for trace in traces])
    return n_traces
