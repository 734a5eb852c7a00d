import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from turnabout.errors import DataError
from turnabout.sources.detection import suggest_format
from turnabout.sources.langfuse import Langfuse
from turnabout.sources.table.batches import Batch


def build_trace(nth: int, text: Any, reply: Any, **fields: Any) -> dict[str, Any]:
    shared = {"id": f"t{nth}", "sessionId": "s1", "userId": "ann", "timestamp": f"2024-05-01T08:0{nth}:00.000Z"}
    return {**shared, "input": text, "output": reply, **fields}


def build_score(source: str, value: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "user-feedback", "source": source, "dataType": "BOOLEAN", "value": value, **fields}


def read_batch(folder: Path, *records: dict[str, Any], **entry: Any) -> Batch:
    (folder / "traces.jsonl").write_text("\n".join(map(json.dumps, records)))
    source = Langfuse(path=str(folder / "traces.jsonl"), **entry)
    (batch,) = source.read_batches(source.list_pieces()[0], suggest_format)
    return batch


def test_traces_of_a_session_become_a_conversation(tmp_path: Path) -> None:
    """Read the example of the module's docstring, in another order."""
    scores = [build_score("API", 0, comment="closed!"), build_score("EVAL", 0.9, name="relevance", dataType="NUMERIC")]
    batch = read_batch(
        tmp_path,
        build_trace(
            2, {"messages": [{"role": "user", "content": "Really?"}]}, {"role": "assistant", "content": "Yes."}
        ),
        build_trace(0, "Is the shop open?", "Until six.", scores=scores, tags=["web"]),
        build_trace(1, "Sure?", None),
    )
    columns = ["conversation_id", "message_index", "role", "text", "at", "user_key", "rating"]
    assert batch.messages.select(columns).rows() == [
        ("s1", 0, "user", "Is the shop open?", datetime(2024, 5, 1, 8, tzinfo=UTC), "ann", None),
        ("s1", 1, "assistant", "Until six.", None, None, -1.0),
        ("s1", 2, "user", "Really?", datetime(2024, 5, 1, 8, 2, tzinfo=UTC), "ann", None),
        ("s1", 3, "assistant", "Yes.", None, None, None),
    ]
    extras = json.loads(batch.messages["extras"][1])
    assert (extras["trace_id"], extras["tags"]) == ("t0", ["web"])
    assert [(score["name"], score["value"]) for score in extras["scores"]] == [
        ("relevance", 0.9),
        ("user-feedback", 0),
    ]
    assert batch.quarantine.select("record", "reason").rows() == [
        ("traces.jsonl:3", "output: holds no reply, came NoneType")
    ]


@pytest.mark.parametrize(
    ("scores", "feedback", "expected"),
    [
        ([build_score("API", 1)], None, (1.0, None, None)),
        ([build_score("ANNOTATION", 4, name="quality", dataType="NUMERIC")], None, (4.0, None, None)),
        ([build_score("API", 1, name="relevance")], None, (None, None, None)),
        ([build_score("EVAL", 1)], None, (None, None, None)),
        (
            [build_score("ANNOTATION", 1, name="is toxic"), build_score("API", 0, name="thumbs")],
            ["thumbs"],
            (-1.0, None, None),
        ),
        ([build_score("API", 0, dataType="CATEGORICAL", stringValue="👍")], None, (None, "👍", None)),
        (
            [build_score("ANNOTATION", 0, dataType="CORRECTION", name="output", longStringValue="No.")],
            None,
            (None, None, "No."),
        ),
        ([build_score("ANNOTATION", "No.", dataType="CORRECTION", name="output")], ["thumbs"], (None, None, "No.")),
        (
            [
                build_score("API", 0, timestamp="2024-05-02T00:00:00Z"),
                build_score("API", 1, timestamp="2024-05-01T00:00:00Z"),
            ],
            None,
            (-1.0, None, None),
        ),
        (["score-id-only"], None, (None, None, None)),
    ],
)
def test_only_peoples_scores_fill_the_columns(
    tmp_path: Path, scores: list[Any], feedback: list[str] | None, expected: tuple[Any, ...]
) -> None:
    batch = read_batch(tmp_path, build_trace(0, "a", "b", scores=scores), feedback=feedback)
    assert batch.messages.select("rating", "reaction", "edited_text").row(1) == expected


def test_observations_of_blob_storage_are_read_with_scores(tmp_path: Path) -> None:
    shared = {"trace_id": "t1", "session_id": "s1", "user_id": "ann", "parent_observation_id": "o1"}
    root = shared | {"id": "o1", "type": "SPAN", "parent_observation_id": "", "trace_name": "chat"}
    rows = [
        root
        | {
            "start_time": "2024-05-29 13:46:19.963000",
            "input": '{"question": "Open?"}',
            "output": '{"answer": "Yes."}',
        },
        shared
        | {"id": "o2", "type": "GENERATION", "start_time": "2024-05-29 13:46:20.000000", "input": "p", "output": "c"},
        shared
        | {"id": "o3", "type": "RETRIEVER", "start_time": "2024-05-29 13:46:20.000000", "input": "q", "output": ""},
    ]
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "1.jsonl").write_text(
        "\n".join(
            json.dumps(
                {
                    "id": "x",
                    "trace_id": "t1",
                    "name": "rating",
                    "source": source,
                    "data_type": "NUMERIC",
                    "value": value,
                }
            )
            for source, value in (("API", 5), ("EVAL", 1))
        )
    )
    batch = read_batch(tmp_path, *rows, scores=str(tmp_path / "scores"))
    assert batch.messages.select("conversation_id", "text", "at", "rating").rows() == [
        ("s1", "Open?", datetime(2024, 5, 29, 13, 46, 19, 963000, UTC), None),
        ("s1", "Yes.", None, 5.0),
    ]
    assert "EVAL" not in batch.messages["extras"][1]
    assert batch.quarantine.is_empty()


def test_last_generation_is_the_turn_when_the_root_is_missing(tmp_path: Path) -> None:
    shared: dict[str, Any] = {"traceId": "t1", "type": "GENERATION", "parentObservationId": "o0", "model": "m-7"}
    message = [{"role": "user", "content": "Open?"}]
    batch = read_batch(
        tmp_path,
        shared | {"id": "o2", "startTime": 1714550409, "input": message, "output": "Yes."},
        shared | {"id": "o1", "startTime": 1714550400, "input": message, "output": "call a tool"},
        shared
        | {
            "id": "o3",
            "startTime": 1714550410,
            "input": message,
            "output": "",
            "level": "ERROR",
            "statusMessage": "busy",
        },
    )
    assert batch.messages.select("conversation_id", "text", "model").rows() == [
        ("t1", "Open?", None),
        ("t1", "Yes.", "m-7"),
    ]
    assert batch.quarantine["reason"].to_list() == ["generation ended in an error: busy"]


def test_repeated_trace_is_rejected_once_with_its_line(tmp_path: Path) -> None:
    batch = read_batch(tmp_path, build_trace(0, "a", "b"), build_trace(0, "a", "c"))
    assert batch.messages["text"].to_list() == ["a", "b"]
    assert batch.quarantine["record"].str.ends_with(":2").to_list() == [True]


def test_other_parts_of_a_trace_are_no_turns(tmp_path: Path) -> None:
    part = {"id": "o3", "traceId": "t1", "parentObservationId": "o0", "type": "RETRIEVER", "input": "a", "output": "b"}
    batch = read_batch(tmp_path, part)
    assert (batch.messages.height, batch.quarantine.height) == (0, 0)


def test_csv_of_the_interface_is_read(tmp_path: Path) -> None:
    with (tmp_path / "traces.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["id", "timestamp", "userId", "sessionId", "input", "output", "user-feedback"])
        rows.writeheader()
        spoken = json.dumps([{"role": "user", "content": "Open?"}])
        rows.writerow({"id": "t1", "timestamp": "2024-05-01T08:00:00.000Z", "input": spoken, "output": "Yes."})
    source = Langfuse(path=str(tmp_path / "traces.csv"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages["text"].to_list() == ["Open?", "Yes."]
    assert batch.messages["user_key"].to_list() == ["conversation:t1", None]


def test_interleaved_sessions_are_separated(tmp_path: Path) -> None:
    batch = read_batch(
        tmp_path,
        build_trace(0, "a", "b"),
        build_trace(1, "x", "y", sessionId="s2"),
        build_trace(2, "c", "d"),
        build_trace(3, "q", "r", sessionId=None),
    )
    texts = batch.messages.group_by("conversation_id", maintain_order=True).agg("text").rows()
    assert texts == [("s1", ["a", "b", "c", "d"]), ("s2", ["x", "y"]), ("t3", ["q", "r"])]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": 5, "sessionId": "s", "input": "a", "output": "b"}, "id: expected `str`, got `int`"),
        (build_trace(0, "a", "b", timestamp="noon"), "timestamp: expected Unix time or ISO 8601"),
        ({"messages": []}, "object missing required field `id`; "),
        (build_trace(0, "a", "b", level="ERROR"), "trace ended in an error: none told"),
    ],
)
def test_record_of_another_shape_is_rejected_with_the_reason(
    tmp_path: Path, record: dict[str, Any], reason: str
) -> None:
    batch = read_batch(tmp_path, record)
    assert batch.messages.is_empty()
    assert reason in batch.quarantine["reason"][0]


def test_invalid_score_raises_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "scores.jsonl").write_text('{"name": "x", "source": "API", "trace_id": "t"}\n{"id": "t1"}')
    with pytest.raises(DataError, match=r"scores.jsonl:2 is no score of Langfuse: .*`name`"):
        read_batch(tmp_path, build_trace(0, "a", "b"), scores=str(tmp_path / "scores.jsonl"))


def test_traces_and_observations_are_recognised() -> None:
    assert Langfuse.recognises(build_trace(0, "a", "b"))
    assert Langfuse.recognises({"id": "o", "trace_id": "t", "input": "a", "output": "b"})
    assert not Langfuse.recognises({"id": "t", "input": "a", "output": "b"})
    assert not Langfuse.recognises(["t"])
