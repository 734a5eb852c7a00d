from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from mlflow.entities import AssessmentSource

from turnabout.core import schemas
from turnabout.core.io import write_frame
from turnabout.errors import DataError
from turnabout.sources.mlflow_traces import MlflowTraces
from turnabout.sources.table.batches import Batch
from turnabout.tracking import traces
from turnabout.tracking.chats import log_chats

PERSON = AssessmentSource(source_type="HUMAN", source_id="ann")
JUDGE = AssessmentSource(source_type="LLM_JUDGE", source_id="j-1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a store with the module docstring's example.

    Session s2 stands between its turns; the store also holds traces that must not be read.
    """
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("shop")
    first = log_trace(
        "s1",
        {"messages": [user_message("Is the shop open?")]},
        {"choices": [{"message": assistant_message("Until six.")}]},
    )
    log_trace("s2", "Hello?", "Hi.", user=None)
    second = log_trace(
        "s1",
        {"messages": [user_message("On Sundays too?")], "model": "m-7"},
        {"choices": [{"message": assistant_message("Yes.")}]},
    )
    log_trace("s3", {"messages": [user_message("Boom")]}, None)
    log_trace("s4", {"x": 1}, "?")
    mlflow.flush_trace_async_logging()
    mlflow.log_feedback(trace_id=first, name="helpful", value=0.25, source=JUDGE, rationale="short")
    mlflow.log_feedback(trace_id=first, name="mood", value="👍", source=PERSON)
    mlflow.log_feedback(trace_id=second, name="thumb", value=True, source=PERSON)
    mlflow.log_feedback(trace_id=second, name="thumb", value=False, source=PERSON, rationale="closed!")
    mlflow.log_expectation(trace_id=second, name="expected_response", value="No, closed.", source=PERSON)
    mlflow.log_expectation(trace_id=second, name="tone", value="friendly", source=PERSON)
    log_simulated_chat(Path(uri.removeprefix("sqlite:///")).parent / "rollouts.parquet")
    yield uri
    mlflow.set_tracking_uri(before)


def user_message(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant_message(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def log_trace(session: str, inputs: Any, outputs: Any, user: str | None = "ann") -> str:
    """Log one trace; without outputs it ends in an error."""
    try:
        with mlflow.start_span(name="chat", span_type="CHAT_MODEL") as span:
            span.set_inputs(inputs)
            mlflow.update_current_trace(session_id=session, user=user)
            if outputs is None:
                raise RuntimeError("model is away\nfor good")
            span.set_outputs(outputs)
    except RuntimeError:
        pass
    return str(span.trace_id)


def log_simulated_chat(path: Path) -> None:
    """Log a simulated conversation as our own stage does.

    It goes into the same experiment.
    """
    row: dict[str, Any] = dict.fromkeys(schemas.ROLLOUTS) | {
        "conversation_id": "sim",
        "turn": 0,
        "simulator": "user model",
    }
    rows = [row | {"role": "user", "text": "hi"}, row | {"role": "assistant", "text": "yo", "policy": "p"}]
    write_frame(pl.DataFrame(rows, schemas.ROLLOUTS), path, schemas.ROLLOUTS)
    with mlflow.start_run() as run:
        assert log_chats(path, run.info.run_id, "simulate") == 1


def read_batch(uri: str, **entry: Any) -> Batch:
    source = MlflowTraces(tracking_uri=uri, experiment="shop", **entry)
    (piece,) = source.list_pieces()
    assert piece.path is None
    (batch,) = source.read_batches(piece)
    return batch


def test_sessions_become_conversations_with_peoples_feedback(store: str) -> None:
    messages = read_batch(store).messages
    columns = [
        "conversation_id",
        "message_index",
        "role",
        "text",
        "user_key",
        "model",
        "rating",
        "reaction",
        "edited_text",
    ]
    assert messages.select(columns).rows() == [
        ("s1", 0, "user", "Is the shop open?", "ann", None, None, None, None),
        ("s1", 1, "assistant", "Until six.", None, None, None, "👍", None),
        ("s1", 2, "user", "On Sundays too?", "ann", None, None, None, None),
        ("s1", 3, "assistant", "Yes.", None, "m-7", -1.0, None, "No, closed."),
        ("s2", 0, "user", "Hello?", "conversation:s2", None, None, None, None),
        ("s2", 1, "assistant", "Hi.", None, None, None, None, None),
    ]
    assert messages["at"].is_null().to_list() == [False, True] * 3
    assert '"rationale": "closed!"' in messages["extras"][3]
    assert '"value": 0.25' in messages["extras"][1]


def test_failed_traces_are_rejected_and_simulated_ones_skipped(store: str) -> None:
    batch = read_batch(store)
    assert batch.quarantine["reason"].to_list() == [
        "trace ended in an error: RuntimeError: model is away",
        "input: no text under the keys ['x']",
    ]
    assert batch.quarantine["excerpt"].to_list()[1] == "{'x': 1}"
    assert "sim" not in str(batch.messages["conversation_id"].to_list())


def test_only_named_feedback_rates(store: str) -> None:
    replies = read_batch(store, feedback=["mood"]).messages
    assert replies["rating"].null_count() == replies.height
    assert replies["reaction"].drop_nulls().to_list() == ["👍"]


def test_traces_are_read_page_by_page(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_batch(store).messages
    monkeypatch.setattr(traces, "PAGE_SIZE", 1)
    assert read_batch(store).messages.equals(whole)


def test_error_of_a_missing_experiment_lists_the_experiments(store: str) -> None:
    source = MlflowTraces(tracking_uri=store, experiment="shops")
    with pytest.raises(DataError, match=r"experiment 'shops' is not in .*has \['Default', 'shop'\]"):
        list(source.read_batches(source.list_pieces()[0]))


def test_missing_store_raises_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no MLflow store at"):
        read_batch(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_error_of_an_unreachable_server_hides_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("SHOP_PASSWORD", "tru/lala")
    with pytest.raises(DataError, match=r"cannot be read.*check the server") as raised:
        read_batch("http://ann:$SHOP_PASSWORD@127.0.0.1:1")
    assert "lala" not in str(raised.value)
    assert raised.value.__cause__ is None
