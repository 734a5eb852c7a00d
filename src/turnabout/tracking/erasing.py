"""Files and traces of earlier runs removed from MLflow, where somebody has asked to be forgotten."""

from pathlib import Path
from typing import NamedTuple

from turnabout.tracking.store import EXPERIMENT, needed, prepare_store, store_uri

#: Traces deleted by one call, the most MLflow takes.
PAGE = 100


class Erased(NamedTuple):
    """How many earlier runs lost their files, and how many traces are gone."""

    n_runs: int
    n_traces: int


def erase_earlier(root: Path, since: float) -> Erased:
    """Remove what runs that started before `since` (seconds since 1970) keep of people's words.

    Their files and their chats go; parameters, tags and figures stay, so that runs still compare. A local SQLite store
    is rewritten, because deleted rows otherwise stay in its free pages; a server's database is its keeper's to rewrite.
    """
    experiment, before = prepare_store(root), int(since * 1000)
    with needed(store_uri(root)):
        erased = Erased(_erase_files(before), _erase_traces(experiment, before))
    if store_uri(root).startswith("sqlite:///"):
        rewrite(Path(store_uri(root).removeprefix("sqlite:///")))
    return erased


def rewrite(database: Path) -> None:
    """Write a SQLite file anew without its free pages, its write-ahead log included."""
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
    """Delete traces page by page; MLflow forgets their rows but leaves the files beside them."""
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client, n_traces = mlflow.MlflowClient(), 0
    while traces := client.search_traces(
        locations=[experiment],
        filter_string=f"attributes.timestamp_ms < {before}",
        max_results=PAGE,
        include_spans=False,
    ):
        for trace in traces:
            if location := trace.info.tags.get("mlflow.artifactLocation"):
                get_artifact_repository(location).delete_artifacts("")
        n_traces += client.delete_traces(experiment, trace_ids=[trace.info.trace_id for trace in traces])
    return n_traces
