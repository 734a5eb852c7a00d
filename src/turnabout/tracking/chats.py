"""Simulated conversations as MLflow traces: one per assistant turn, tied by session, so that the UI shows chats."""

from pathlib import Path

import polars as pl

from turnabout.core import schemas
from turnabout.core.io import read_frame

#: Conversations of one stage shown in MLflow; every one of them is in its Parquet file.
SHOWN = 50

#: The tag of their traces, by which they are never read as logs of people.
SIMULATED = "turnabout.simulated"


def log_chats(path: Path, run_id: str, stage: str) -> int:
    """Log the first `SHOWN` conversations of a rollouts file to a run; the number of traces written."""
    import mlflow

    rollouts = read_frame(path, schemas.ROLLOUTS).sort(
        "conversation_id", "turn", "role", descending=[False, False, True]
    )
    conversations = rollouts.partition_by("conversation_id", maintain_order=True)[:SHOWN]
    logged = sum(_log_conversation(messages, run_id, stage) for messages in conversations)
    mlflow.flush_trace_async_logging()
    return logged


def _log_conversation(messages: pl.DataFrame, run_id: str, stage: str) -> int:
    import mlflow

    rows = messages.to_dicts()
    said = [{"role": row["role"], "content": row["text"]} for row in rows]
    replies = [index for index, row in enumerate(rows) if row["role"] == "assistant"]
    for index in replies:
        with mlflow.start_span(name="chat_turn", span_type="CHAT_MODEL") as span:
            span.set_inputs({"messages": said[:index]})
            span.set_outputs({"choices": [{"message": said[index]}]})
            mlflow.update_current_trace(
                # A second pipeline run simulates the same conversations: its sessions must not join the first one's.
                session_id=f"{rows[0]['conversation_id']}-{run_id[:8]}",
                user=rows[0]["simulator"],
                tags={"stage": stage, "policy": rows[0]["policy"], SIMULATED: "true"},
                metadata={"intent": rows[0]["intent"] or "", "ended_by": rows[-1]["ended_by"] or ""},
            )
    return len(replies)
