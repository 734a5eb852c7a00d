"""Traces of assistants in production, read from an MLflow tracking store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnabout.errors import DataError
from turnabout.tracking.chats import SIMULATED
from turnabout.tracking.store import configure_client, first_error_line, is_store_error

#: Traces per request to the store.
PAGE_SIZE = 100

#: Metadata key that MLflow's own user simulator writes into its traces.
_SIMULATOR = "mlflow.simulation.goal"


def read_traces(uri: str, experiment: str) -> Iterator[dict[str, Any]]:
    """Yield traces, the earliest first, without those of simulated users.

    A trace is `{id, session, user, at_ms, fault, inputs, outputs, model, assessments}`; `fault` is the reason why a
    call has no reply. An assessment is `{name, kind, value, rationale, source, at_ms}`; its kind is feedback or
    expectation; replaced assessments are left out. Times are Unix milliseconds. Raises `DataError` if the store or the
    experiment cannot be read.
    """
    configure_client()
    try:
        yield from map(_to_plain_record, _search_pages(uri, experiment))
    except Exception as error:
        if isinstance(error, DataError) or not is_store_error(error):
            raise
        raise DataError(
            f"ingest.sources: the MLflow store {uri} cannot be read: {first_error_line(error)}; check the server, the "
            "address, and the credentials in the environment"
        ) from None


def _search_pages(uri: str, experiment: str) -> Iterator[Any]:
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise DataError(f"ingest.sources: no MLflow store at {uri}; give the file that MLflow writes to")
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    entity = client.get_experiment_by_name(experiment)
    if entity is None:
        names = sorted(known.name for known in client.search_experiments(max_results=50))
        raise DataError(f"ingest.sources: experiment '{experiment}' is not in the MLflow store {uri}; it has {names}")
    token = None
    while True:
        page = client.search_traces(
            locations=[entity.experiment_id], max_results=PAGE_SIZE, order_by=["timestamp_ms ASC"], page_token=token
        )
        yield from (trace for trace in page if not _is_simulated(trace))
        token = page.token
        if not token:
            return


def _is_simulated(trace: Any) -> bool:
    return SIMULATED in trace.info.tags or _SIMULATOR in trace.info.trace_metadata


def _to_plain_record(trace: Any) -> dict[str, Any]:
    info = trace.info
    root = next((span for span in trace.data.spans if span.parent_id is None), None)
    return {
        "id": info.trace_id,
        "session": info.trace_metadata.get("mlflow.trace.session"),
        "user": info.trace_metadata.get("mlflow.trace.user"),
        "at_ms": info.request_time,
        "fault": _explain_error(str(info.state), root),
        "inputs": root and root.inputs,
        "outputs": root and root.outputs,
        "model": next(filter(None, (span.attributes.get("mlflow.llm.model") for span in trace.data.spans)), None),
        "assessments": [_to_plain_assessment(item) for item in info.assessments if item.valid is not False],
    }


def _explain_error(state: str, root: Any) -> str | None:
    if root is None:
        return "trace has no span"
    if state == "ERROR":
        return f"trace ended in an error: {(root.status.description or 'no description').splitlines()[0]}"
    return None if state == "OK" else f"trace did not end: {state}"


def _to_plain_assessment(item: Any) -> dict[str, Any]:
    kind = "expectation" if item.expectation is not None else "feedback"
    content = item.expectation if kind == "expectation" else item.feedback
    return {
        "name": item.name,
        "kind": kind,
        "value": getattr(content, "value", None),
        "rationale": item.rationale,
        "source": item.source.source_type,
        "at_ms": item.last_update_time_ms or 0,
    }
