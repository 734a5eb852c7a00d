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
from turnabout.sources.base import Batch
from turnabout.sources.mlflow_traces import MlflowTraces
from turnabout.tracking import traces
from turnabout.tracking.chats import log_chats

PERSON = AssessmentSource(source_type="HUMAN", source_id="ann")
JUDGE = AssessmentSource(source_type="LLM_JUDGE", source_id="j-1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The worked sample of the module's docstring, session s2 between its turns, and what must not be read."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("shop")
    first = log("s1", {"messages": [said("Is the shop open?")]}, {"choices": [{"message": reply("Until six.")}]})
    log("s2", "Hello?", "Hi.", user=None)
    second = log(
        "s1", {"messages": [said("On Sundays too?")], "model": "m-7"}, {"choices": [{"message": reply("Yes.")}]}
    )
    log("s3", {"messages": [said("Boom")]}, None)
    log("s4", {"x": 1}, "?")
    mlflow.flush_trace_async_logging()
    mlflow.log_feedback(trace_id=first, name="helpful", value=0.25, source=JUDGE, rationale="short")
    mlflow.log_feedback(trace_id=first, name="mood", value="👍", source=PERSON)
    mlflow.log_feedback(trace_id=second, name="thumb", value=True, source=PERSON)
    mlflow.log_feedback(trace_id=second, name="thumb", value=False, source=PERSON, rationale="closed!")
    mlflow.log_expectation(trace_id=second, name="expected_response", value="No, closed.", source=PERSON)
    mlflow.log_expectation(trace_id=second, name="tone", value="friendly", source=PERSON)
    simulate(Path(uri.removeprefix("sqlite:///")).parent / "rollouts.parquet")
    yield uri
    mlflow.set_tracking_uri(before)


def said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def reply(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def log(session: str, inputs: Any, outputs: Any, user: str | None = "ann") -> str:
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


def simulate(path: Path) -> None:
    """What our own stage logs of a simulated conversation, into the same experiment."""
    row: dict[str, Any] = dict.fromkeys(schemas.ROLLOUTS) | {
        "conversation_id": "sim",
        "turn": 0,
        "simulator": "user model",
    }
    rows = [row | {"role": "user", "text": "hi"}, row | {"role": "assistant", "text": "yo", "policy": "p"}]
    write_frame(pl.DataFrame(rows, schemas.ROLLOUTS), path, schemas.ROLLOUTS)
    with mlflow.start_run() as run:
        assert log_chats(path, run.info.run_id, "simulate") == 1


def read(uri: str, **entry: Any) -> Batch:
    source = MlflowTraces(tracking_uri=uri, experiment="shop", **entry)
    (piece,) = source.pieces()
    assert piece.path is None
    (batch,) = source.batches(piece)
    return batch


def test_sessions_become_conversations_with_peoples_feedback(store: str) -> None:
    messages = read(store).messages
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


def test_failed_and_unreadable_traces_are_rejected_and_simulated_ones_are_not_read(store: str) -> None:
    batch = read(store)
    assert batch.quarantine["reason"].to_list() == [
        "trace ended in an error: RuntimeError: model is away",
        "input: no text under the keys ['x']",
    ]
    assert batch.quarantine["excerpt"].to_list()[1] == "{'x': 1}"
    assert "sim" not in str(batch.messages["conversation_id"].to_list())


def test_only_the_feedback_that_is_named_rates(store: str) -> None:
    replies = read(store, feedback=["mood"]).messages
    assert replies["rating"].null_count() == replies.height
    assert replies["reaction"].drop_nulls().to_list() == ["👍"]


def test_traces_are_read_page_by_page(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(store).messages
    monkeypatch.setattr(traces, "PAGE", 1)
    assert read(store).messages.equals(whole)


def test_an_experiment_that_is_not_there_is_told_with_those_there_are(store: str) -> None:
    source = MlflowTraces(tracking_uri=store, experiment="shops")
    with pytest.raises(DataError, match=r"experiment 'shops' is not in .*has \['Default', 'shop'\]"):
        list(source.batches(source.pieces()[0]))


def test_a_store_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no MLflow store"):
        read(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_down_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("SHOP_PASSWORD", "tru/lala")
    with pytest.raises(DataError, match=r"cannot be read.*check that its server runs") as told:
        read("http://ann:$SHOP_PASSWORD@127.0.0.1:1")
    assert "lala" not in str(told.value)
    assert told.value.__cause__ is None
