"""Simulated conversations as MLflow traces, which the UI shows as chats.

There is one trace per assistant turn; the turns of a conversation share a session.
"""

from pathlib import Path

import polars as pl

from turnabout.core import schemas
from turnabout.core.io import read_frame

#: Conversations of one stage that are logged to MLflow; the Parquet file holds all of them.
MAX_CONVERSATIONS = 50

#: Tag of their traces, so that they are never read as logs of people.
SIMULATED = "turnabout.simulated"


def log_chats(path: Path, run_id: str, stage: str) -> int:
    """Log the first conversations of a rollouts file to a run.

    Returns the number of traces.
    """
    import mlflow

    rollouts = read_frame(path, schemas.ROLLOUTS).sort(
        "conversation_id", "turn", "role", descending=[False, False, True]
    )
    conversations = rollouts.partition_by("conversation_id", maintain_order=True)[:MAX_CONVERSATIONS]
    logged = sum(_log_conversation(messages, run_id, stage) for messages in conversations)
    mlflow.flush_trace_async_logging()
    return logged


def _log_conversation(messages: pl.DataFrame, run_id: str, stage: str) -> int:
    import mlflow

    rows = messages.to_dicts()
    contents = [{"role": row["role"], "content": row["text"]} for row in rows]
    replies = [index for index, row in enumerate(rows) if row["role"] == "assistant"]
    for index in replies:
        with mlflow.start_span(name="chat_turn", span_type="CHAT_MODEL") as span:
            span.set_inputs({"messages": contents[:index]})
            span.set_outputs({"choices": [{"message": contents[index]}]})
            mlflow.update_current_trace(
                # Another pipeline run simulates the same conversations; its sessions must stay separate.
                session_id=f"{rows[0]['conversation_id']}-{run_id[:8]}",
                user=rows[0]["simulator"],
                tags={"stage": stage, "policy": rows[0]["policy"], SIMULATED: "true"},
                metadata={"intent": rows[0]["intent"] or "", "ended_by": rows[-1]["ended_by"] or ""},
            )
    return len(replies)
