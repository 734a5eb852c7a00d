"""Traces of assistants in use, read from an MLflow tracking store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnabout.errors import DataError
from turnabout.tracking.chats import SIMULATED
from turnabout.tracking.store import first_line, of_the_store, settle_client

#: Traces asked of the store at once.
PAGE = 100

#: What MLflow's own simulator of users writes into the metadata of its traces.
_SIMULATOR = "mlflow.simulation.goal"


def traces(uri: str, experiment: str) -> Iterator[dict[str, Any]]:
    """One trace after the other, the earliest first, without those of simulated users.

    Each is `{id, session, user, at_ms, fault, inputs, outputs, model, assessments}`; `fault` says why the call has no
    reply. An assessment is `{name, kind, value, rationale, source, at_ms}`, of kind feedback or expectation; those that
    were replaced since are left out. Times are Unix milliseconds.
    Raises `DataError` where the store or the experiment cannot be read.
    """
    settle_client()
    try:
        yield from map(_plain, _pages(uri, experiment))
    except Exception as error:
        if isinstance(error, DataError) or not of_the_store(error):
            raise
        raise DataError(
            f"ingest.sources: the MLflow store {uri} cannot be read: {first_line(error)}; check that its server runs, "
            "the address, and the credentials in the environment"
        ) from None


def _pages(uri: str, experiment: str) -> Iterator[Any]:
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise DataError(f"ingest.sources: there is no MLflow store {uri}; give the file that MLflow writes to")
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        there = sorted(other.name for other in client.search_experiments(max_results=50))
        raise DataError(f"ingest.sources: experiment '{experiment}' is not in the MLflow store {uri}; has {there}")
    token = None
    while True:
        page = client.search_traces(
            locations=[found.experiment_id], max_results=PAGE, order_by=["timestamp_ms ASC"], page_token=token
        )
        yield from (trace for trace in page if not _is_simulated(trace))
        token = page.token
        if not token:
            return


def _is_simulated(trace: Any) -> bool:
    return SIMULATED in trace.info.tags or _SIMULATOR in trace.info.trace_metadata


def _plain(trace: Any) -> dict[str, Any]:
    info = trace.info
    root = next((span for span in trace.data.spans if span.parent_id is None), None)
    return {
        "id": info.trace_id,
        "session": info.trace_metadata.get("mlflow.trace.session"),
        "user": info.trace_metadata.get("mlflow.trace.user"),
        "at_ms": info.request_time,
        "fault": _fault(str(info.state), root),
        "inputs": root and root.inputs,
        "outputs": root and root.outputs,
        "model": next(filter(None, (span.attributes.get("mlflow.llm.model") for span in trace.data.spans)), None),
        "assessments": [_assessment(item) for item in info.assessments if item.valid is not False],
    }


def _fault(state: str, root: Any) -> str | None:
    if root is None:
        return "trace has no span"
    if state == "ERROR":
        return f"trace ended in an error: {(root.status.description or 'none told').splitlines()[0]}"
    return None if state == "OK" else f"trace did not end: {state}"


def _assessment(item: Any) -> dict[str, Any]:
    kind = "expectation" if item.expectation is not None else "feedback"
    told = item.expectation if kind == "expectation" else item.feedback
    return {
        "name": item.name,
        "kind": kind,
        "value": getattr(told, "value", None),
        "rationale": item.rationale,
        "source": item.source.source_type,
        "at_ms": item.last_update_time_ms or 0,
    }
