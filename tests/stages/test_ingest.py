import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages import ingest as stage
from tests.source_tree import ROOT
from tests.test_pipeline import STAGES
from turnabout.core import parquet_parts, schemas
from turnabout.core.forgetting import append_people, mark_swept, read_forgotten_people
from turnabout.core.io import read_frame, read_json
from turnabout.errors import ConfigError, DataError
from turnabout.sources.base import Piece
from turnabout.sources.openai import OpenAI
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject

SHIPPED = ROOT / "params.yaml"


def build_line(conversation_id: str, *texts: str, role: str = "user", user: str = "ann") -> str:
    messages = [{"role": role, "content": text} for text in texts]
    return json.dumps({"conversation_id": conversation_id, "user_id": user, "messages": messages}) + "\n"


def ingest_files(folder: Path, *paths: str, watch: str = "logs", out: str = "out") -> Path:
    """Run the stage on openai sources; return the folder of its outputs.

    `paths` are relative to `folder`.
    """
    return run_stage(folder, [{"format": "openai", "path": str(folder / path)} for path in paths], watch, out)


def run_stage(folder: Path, sources: list[dict[str, str]], watch: str = "logs", out: str = "out") -> Path:
    """Run the stage on sources below `folder`; return the folder of its outputs."""
    section = {"watch": watch, "sources": sources}
    params = yaml.safe_load(SHIPPED.read_text()) | {"ingest": section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    outputs = folder / out
    stage.main(
        folder / watch,
        folder / "forgotten.txt",
        ingested=outputs / "m",
        quarantine=outputs / "q.parquet",
        ledger=outputs / "ledger",
        metrics=outputs / "metrics.json",
        params=folder / "params.yaml",
    )
    return outputs


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_parts, "GROUP_WEIGHT", 2)
    monkeypatch.setattr(parquet_parts, "PART_BYTES", 1)


@pytest.fixture
def read_pieces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a growing list of the names of the pieces that sources read."""
    names: list[str] = []
    read_piece = OpenAI.read_piece

    def read_and_record(source: OpenAI, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        names.append(piece.name)
        return read_piece(source, piece)

    monkeypatch.setattr(OpenAI, "read_piece", read_and_record)
    return names


def test_sources_become_one_table_in_order_of_arrival(logs: Path) -> None:
    (logs / "a.jsonl").write_text(
        build_line("z", "1", "2") + build_line("x", "3") + "{broken\n" + build_line("w", "4", role="bot")
    )
    (logs / "b.jsonl").write_text(build_line("x", "again", "and again") + build_line("y", "5"))
    out = ingest_files(logs.parent, "logs/b.jsonl", "logs/a.jsonl")
    messages = read_frame(out / "m", schemas.MESSAGES)
    assert messages.select("conversation_id", "message_index", "text").rows() == [
        ("x", 0, "again"),
        ("x", 1, "and again"),
        ("y", 0, "5"),
        ("z", 0, "1"),
        ("z", 1, "2"),
    ]
    rejected = read_frame(out / "q.parquet", schemas.QUARANTINE)
    assert sorted(rejected["record"]) == ["a.jsonl:3", "a.jsonl:4", "x"]
    repeated = "conversation id occurs earlier in the log"
    assert rejected.filter(record="x").rows() == [("openai", "x", repeated, "3")]
    metrics = read_json(out / "metrics.json")
    assert metrics.pop("rejected_by_reason")[repeated] == 1
    assert metrics == {
        "n_conversations": 3,
        "n_forgotten_conversations": 0,
        "n_messages": 5,
        "n_rejected": 3,
        "conversations_by_source": {"openai": 3},
        "files": [
            {"file": "b.jsonl", "format": "openai", "conversations": 2, "messages": 3, "rejected": 0},
            {"file": "a.jsonl", "format": "openai", "conversations": 1, "messages": 2, "rejected": 3},
        ],
        "warnings": [],
    }


def test_same_logs_give_the_same_bytes(logs: Path) -> None:
    (logs / "a.jsonl").write_text(build_line("z", "1") + build_line("x", "2") + "{broken\n")
    first = read_files(ingest_files(logs.parent, "logs/*.jsonl"))
    assert read_files(ingest_files(logs.parent, "logs/*.jsonl", out="again")) == first


@pytest.mark.usefixtures("small_parts")
def test_reading_day_by_day_gives_the_bytes_of_one_run(logs: Path, read_pieces: list[str]) -> None:
    days = {f"day{n}.jsonl": "".join(build_line(f"{n}-{i}", "hi", "yo") for i in range(3)) + "{\n" for n in range(3)}
    days["day3.jsonl"] = build_line("0-1", "repeated") + build_line("new", "hi")
    for name, text in days.items():
        (logs / name).write_text(text)
        out = ingest_files(logs.parent, "logs")
    assert read_pieces == list(days)
    assert read_files(out) == read_files(ingest_files(logs.parent, "logs", out="anew"))
    assert len(list((out / "m").iterdir())) == 10


def test_files_after_a_changed_or_removed_file_are_read_again(logs: Path, read_pieces: list[str]) -> None:
    for name in "abc":
        (logs / f"{name}.jsonl").write_text(build_line(name, "hi"))
    ingest_files(logs.parent, "logs")
    (logs / "b.jsonl").write_text(build_line("b", "other"))
    ingest_files(logs.parent, "logs")
    (logs / "b.jsonl").unlink()
    out = ingest_files(logs.parent, "logs")
    assert read_pieces == ["a.jsonl", "b.jsonl", "c.jsonl", "b.jsonl", "c.jsonl", "c.jsonl"]
    assert read_frame(out / "m", schemas.MESSAGES)["conversation_id"].to_list() == ["a", "c"]


def test_detected_formats_and_empty_files_are_named(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(logs.parent)
    (logs / "a.jsonl").write_text(build_line("x", "1") + "{broken\n")
    (logs / "b.jsonl").write_text(json.dumps({"conversations": [{"from": "human", "value": "q"}]}))
    (logs / "c.jsonl").write_text("[\n1,\n2]\n")
    (logs / "d.jsonl").write_text("\n")
    metrics = read_json(run_stage(Path(), [{"format": "auto", "path": "logs"}]) / "metrics.json")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "logs/a.jsonl: openai, 1 conversations, 1 records rejected",
        "logs/b.jsonl: sharegpt, 1 conversations, 0 records rejected",
        "logs/c.jsonl: no known format, 0 conversations, 1 records rejected",
    ]
    assert "warning: logs/d.jsonl: empty, nothing was read" in printed.err.splitlines()
    assert [tuple(row.values()) for row in metrics["files"]] == [
        ("logs/a.jsonl", "openai", 1, 1, 1),
        ("logs/b.jsonl", "sharegpt", 1, 1, 0),
        ("logs/c.jsonl", "auto", 0, 0, 1),
        ("logs/d.jsonl", None, 0, 0, 0),
    ]


def test_files_of_a_later_run_are_listed_with_those_of_an_earlier_one(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        (logs / f"{name}.jsonl").write_text(build_line(name, "1"))
        out = run_stage(logs.parent, [{"format": "auto", "path": str(logs)}])
        assert capsys.readouterr().out == f"{name}.jsonl: openai, 1 conversations, 0 records rejected\n"
    assert [row["file"] for row in read_json(out / "metrics.json")["files"]] == ["a.jsonl", "b.jsonl"]


def test_of_many_files_those_with_most_rejects_are_listed(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_LISTED_FILES", 2)
    for name, n_broken in {"a": 1, "b": 0, "c": 2}.items():
        (logs / f"{name}.jsonl").write_text(build_line(name, "1") + "{\n" * n_broken)
    files = read_json(ingest_files(logs.parent, "logs") / "metrics.json")["files"]
    assert [row["file"] for row in files] == ["a.jsonl", "c.jsonl"]


def test_feedback_that_no_column_takes_is_a_warning_of_its_source(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        {"conversation_id": str(n), "messages": [{"role": "user", "content": "q"}], "score": n} for n in range(3)
    ]
    (logs / "a.jsonl").write_text(json.dumps(records[0] | {"nps": 9}) + "\n" + json.dumps(records[1]))
    (logs / "b.jsonl").write_text(json.dumps(records[2] | {"score": None}))
    expected = (
        "a.jsonl: 1 conversations have 'nps', 2 conversations have 'score', which no column takes "
        "(see docs/sources.md, Feedback)"
    )
    metrics = read_json(ingest_files(logs.parent, "logs") / "metrics.json")
    assert metrics["warnings"] == [expected]
    assert capsys.readouterr().err.count(f"warning: {expected}\n") == 1
    (logs / "c.jsonl").write_text(json.dumps(records[2] | {"conversation_id": "c"}))
    (warning,) = read_json(ingest_files(logs.parent, "logs") / "metrics.json")["warnings"]
    assert warning.startswith("a.jsonl and 1 more: 1 conversations have 'nps', 3 conversations have 'score'")


def test_repeated_record_without_an_id_is_named_as_such(logs: Path) -> None:
    unnamed = json.dumps({"messages": [{"role": "user", "content": "hi"}]}) + "\n"
    (logs / "a.jsonl").write_text(unnamed)
    (logs / "b.jsonl").write_text(unnamed + build_line("x", "1") + build_line("x", "2"))
    out = ingest_files(logs.parent, "logs")
    assert read_json(out / "metrics.json")["rejected_by_reason"] == {
        "conversation id occurs earlier in the log": 1,
        "same messages as an earlier record": 1,
    }


def test_traces_are_read_again_when_their_scores_change(logs: Path) -> None:
    for folder in ("traces", "scores"):
        (logs / folder).mkdir()
    trace = {"id": "t", "sessionId": "s", "input": "hi", "output": "yo"}
    score = {"name": "rating", "source": "API", "traceId": "t", "value": 1}
    (logs / "traces" / "a.json").write_text(json.dumps(trace))
    entry = {"format": "langfuse", "path": str(logs / "traces"), "scores": str(logs / "scores")}
    for rating in (1, 4):
        (logs / "scores" / "a.json").write_text(json.dumps(score | {"value": rating}))
        out = run_stage(logs.parent, [entry])
        assert read_frame(out / "m", schemas.MESSAGES)["rating"].to_list() == [None, rating]


def test_forgotten_person_is_in_no_table_and_counted(logs: Path) -> None:
    (logs / "a.jsonl").write_text(
        build_line("1", "secret of ann") + build_line("2", "words of bob", user="bob") + '{"secret":'
    )
    ingest_files(logs.parent, "logs")
    (logs.parent / "forgotten.txt").write_text(append_people("# gone\n", ["ann"]))
    out = ingest_files(logs.parent, "logs")
    assert read_frame(out / "m", schemas.MESSAGES)["text"].to_list() == ["words of bob"]
    assert read_frame(out / "q.parquet", schemas.QUARANTINE)["excerpt"].to_list() == [""]
    assert read_json(out / "metrics.json")["n_forgotten_conversations"] == 1
    assert not any(b"secret" in content for content in read_files(out).values())


def test_new_people_to_forget_print_a_warning_outside_the_flow(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TURNABOUT_FLOW", raising=False)
    (logs / "a.jsonl").write_text(build_line("1", "words of bob", user="bob"))
    forgotten = logs.parent / "forgotten.txt"
    forgotten.write_text(append_people("", ["ann"]))
    ingest_files(logs.parent, "logs")
    assert f"warning: {stage.UNSWEPT}\n" in capsys.readouterr().err
    mark_swept(logs.parent, read_forgotten_people(forgotten))
    ingest_files(logs.parent, "logs")
    assert stage.UNSWEPT not in capsys.readouterr().err
    forgotten.write_text(append_people("", ["ann", "eve"]))
    monkeypatch.setenv("TURNABOUT_FLOW", "1")  # the flow erases at its end
    ingest_files(logs.parent, "logs")
    assert stage.UNSWEPT not in capsys.readouterr().err


@pytest.mark.parametrize("path", ["elsewhere/*.jsonl", "logs/../secret.jsonl", "logs2/a.jsonl"])
def test_source_outside_the_watched_folder_raises_an_error(logs: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"is not inside ingest.watch .* new logs would go unnoticed: move the logs"):
        ingest_files(logs.parent, path)


def test_watched_file_may_be_the_source_itself(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(build_line("x", "1"))
    assert read_json(ingest_files(tmp_path, "one.jsonl", watch="one.jsonl") / "metrics.json")["n_messages"] == 1


def test_unreadable_log_raises_an_error_with_counted_reasons(logs: Path) -> None:
    (logs / "a.jsonl").write_text("{broken\n" + build_line("x") + build_line("y"))
    with pytest.raises(DataError) as error:
        ingest_files(logs.parent, "logs/*.jsonl")
    first, *examples = str(error.value).splitlines()
    assert first == "no conversation could be read; 3 records were rejected, correct the logs or ingest.sources:"
    assert [example[:5] for example in examples] == ["  2 ×", "  1 ×"]
    assert [example.rpartition(" (")[2] for example in examples] == ["first: a.jsonl:2)", "first: a.jsonl:1)"]
    assert read_files(logs.parent / "out") == {}


def test_only_the_most_frequent_reasons_are_shown(logs: Path) -> None:
    (logs / "a.jsonl").write_text("".join(build_line(f"c{n}", "hi", role=f"role{n // 2}") for n in range(31)))
    with pytest.raises(DataError) as error:
        ingest_files(logs.parent, "logs/*.jsonl")
    _, *examples, further = str(error.value).splitlines()
    assert [example[:5] for example in examples] == ["  2 ×"] * 10
    assert further == "  and 6 other reasons"


def test_rare_reasons_are_counted_together(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_COUNTED_REASONS", 1)
    (logs / "a.jsonl").write_text(
        build_line("x", "1") + build_line("b", "hi", role="z") + "{\n[\n" + "".join(build_line("c") for _ in range(3))
    )
    counted = read_json(ingest_files(logs.parent, "logs") / "metrics.json")["rejected_by_reason"]
    assert list(counted.values()) == [3, 3]
    assert list(counted)[1] == "other reasons"


def test_mostly_rejected_file_prints_a_warning_with_examples(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "a.jsonl").write_text(build_line("x", "1") + "{\n{\n")
    (logs / "b.jsonl").write_text(build_line("y", "1") + build_line("z", "1") + "{\n")
    ingest_files(logs.parent, "logs")
    warned = [text for text in capsys.readouterr().err.splitlines() if "warning" in text or "×" in text]
    read, _, rejected = warned[0].partition("; ")
    assert read == "warning: a.jsonl: only 1 conversations could be read"
    assert rejected == "2 records were rejected, correct the logs or ingest.sources:"
    assert warned[1].startswith("warning:   2 × broken JSON")
    assert warned[1].endswith("(first: a.jsonl:2)")
    assert len(warned) == 2


def test_empty_log_raises_an_error(logs: Path) -> None:
    (logs / "a.jsonl").touch()
    with pytest.raises(DataError, match="every log is empty; add logs at a path of"):
        ingest_files(logs.parent, "logs/*.jsonl")


def test_code_of_the_ledger_key_is_that_of_dvc_yaml() -> None:
    deps = next(entry.deps for entry in STAGES if entry.name == "ingest")
    assert sorted(stage.CODE) == sorted(dep for dep in deps if dep.startswith(("src/", "stages/")))
