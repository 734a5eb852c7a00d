import time
from pathlib import Path

import mlflow
import pytest

from turnabout.tracking.erasing import erase_earlier
from turnabout.tracking.store import prepare_store


def chat(text: str) -> None:
    with mlflow.start_span(name="chat_turn", span_type="CHAT_MODEL") as span:
        span.set_inputs({"messages": [{"role": "user", "content": text}]})
        mlflow.update_current_trace(session_id="s", metadata={"intent": text})


def run(name: str, text: str) -> str:
    with mlflow.start_run(run_name=name) as started:
        mlflow.log_metric("loss", 0.5)
        mlflow.log_text(text, "report/index.html")
        for _ in range(2):
            chat(text)
        mlflow.flush_trace_async_logging()
        return str(started.info.run_id)


def test_earlier_runs_lose_files_and_chats_and_keep_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    prepare_store(tmp_path)
    old = run("old", "canary words")
    time.sleep(0.05)
    since = time.time()
    new = run("new", "kept words")
    assert erase_earlier(tmp_path, since) == (1, 2)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary" not in stored
    assert b"kept words" in stored
    client = mlflow.MlflowClient()
    assert client.get_run(old).data.metrics == {"loss": 0.5}
    assert [entry.path for entry in client.list_artifacts(old)] == []
    assert [entry.path for entry in client.list_artifacts(new)] == ["report"]
    assert erase_earlier(tmp_path, since) == (0, 0)
