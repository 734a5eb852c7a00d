import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages import ingest as stage
from tests.source_tree import ROOT
from tests.test_pipeline import STAGES
from turnabout.core import parquet_parts, schemas
from turnabout.core.forgetting import extended
from turnabout.core.io import read_frame, read_json
from turnabout.errors import ConfigError, DataError
from turnabout.sources.base import Batch, Piece
from turnabout.sources.openai import OpenAI

SHIPPED = ROOT / "params.yaml"


def line(conversation_id: str, *texts: str, role: str = "user", user: str = "ann") -> str:
    messages = [{"role": role, "content": text} for text in texts]
    return json.dumps({"conversation_id": conversation_id, "user_id": user, "messages": messages}) + "\n"


def ingest(folder: Path, *paths: str, watch: str = "logs", out: str = "out") -> Path:
    """Run the stage on openai sources at these paths below `folder`; the folder of its outputs."""
    return run(folder, [{"format": "openai", "path": str(folder / path)} for path in paths], watch, out)


def run(folder: Path, sources: list[dict[str, str]], watch: str = "logs", out: str = "out") -> Path:
    """Run the stage on sources below `folder`; the folder of its outputs."""
    section = {"watch": watch, "sources": sources}
    params = yaml.safe_load(SHIPPED.read_text()) | {"ingest": section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    place = folder / out
    tables = place / "m", place / "q.parquet", place / "ledger"
    stage.main(folder / watch, folder / "forgotten.txt", *tables, place / "metrics.json", folder / "params.yaml")
    return place


def written(folder: Path) -> dict[str, bytes]:
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
    """The names of the pieces that the sources were asked to read."""
    names: list[str] = []
    batches = OpenAI.batches

    def noted(source: OpenAI, piece: Piece) -> Iterator[Batch]:
        names.append(piece.name)
        return batches(source, piece)

    monkeypatch.setattr(OpenAI, "batches", noted)
    return names


def test_sources_become_one_table_in_order_of_arrival_and_what_failed_is_counted(logs: Path) -> None:
    (logs / "a.jsonl").write_text(line("z", "1", "2") + line("x", "3") + "{broken\n" + line("w", "4", role="bot"))
    (logs / "b.jsonl").write_text(line("x", "again", "and again") + line("y", "5"))
    out = ingest(logs.parent, "logs/b.jsonl", "logs/a.jsonl")
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
    }


def test_the_same_logs_give_the_same_bytes(logs: Path) -> None:
    (logs / "a.jsonl").write_text(line("z", "1") + line("x", "2") + "{broken\n")
    first = written(ingest(logs.parent, "logs/*.jsonl"))
    assert written(ingest(logs.parent, "logs/*.jsonl", out="again")) == first


@pytest.mark.usefixtures("small_parts")
def test_a_new_day_is_read_alone_and_gives_the_bytes_of_all_days_at_once(logs: Path, read_pieces: list[str]) -> None:
    days = {f"day{n}.jsonl": "".join(line(f"{n}-{i}", "hi", "yo") for i in range(3)) + "{\n" for n in range(3)}
    days["day3.jsonl"] = line("0-1", "repeated") + line("new", "hi")
    for name, text in days.items():
        (logs / name).write_text(text)
        out = ingest(logs.parent, "logs")
    assert read_pieces == list(days)
    assert written(out) == written(ingest(logs.parent, "logs", out="anew"))
    assert len(list((out / "m").iterdir())) == 10


def test_a_file_that_changed_or_went_is_read_again_with_all_after_it(logs: Path, read_pieces: list[str]) -> None:
    for name in "abc":
        (logs / f"{name}.jsonl").write_text(line(name, "hi"))
    ingest(logs.parent, "logs")
    (logs / "b.jsonl").write_text(line("b", "other"))
    ingest(logs.parent, "logs")
    (logs / "b.jsonl").unlink()
    out = ingest(logs.parent, "logs")
    assert read_pieces == ["a.jsonl", "b.jsonl", "c.jsonl", "b.jsonl", "c.jsonl", "c.jsonl"]
    assert read_frame(out / "m", schemas.MESSAGES)["conversation_id"].to_list() == ["a", "c"]


def test_changed_scores_beside_the_traces_are_read(logs: Path) -> None:
    for folder in ("traces", "scores"):
        (logs / folder).mkdir()
    trace = {"id": "t", "sessionId": "s", "input": "hi", "output": "yo"}
    score = {"name": "rating", "source": "API", "traceId": "t", "value": 1}
    (logs / "traces" / "a.json").write_text(json.dumps(trace))
    entry = {"format": "langfuse", "path": str(logs / "traces"), "scores": str(logs / "scores")}
    for rating in (1, 4):
        (logs / "scores" / "a.json").write_text(json.dumps(score | {"value": rating}))
        out = run(logs.parent, [entry])
        assert read_frame(out / "m", schemas.MESSAGES)["rating"].to_list() == [None, rating]


def test_a_forgotten_person_is_in_no_table_and_counted(logs: Path) -> None:
    (logs / "a.jsonl").write_text(line("1", "secret of ann") + line("2", "words of bob", user="bob") + '{"secret":')
    ingest(logs.parent, "logs")
    (logs.parent / "forgotten.txt").write_text(extended("# gone\n", ["ann"]))
    out = ingest(logs.parent, "logs")
    assert read_frame(out / "m", schemas.MESSAGES)["text"].to_list() == ["words of bob"]
    assert read_frame(out / "q.parquet", schemas.QUARANTINE)["excerpt"].to_list() == [""]
    assert read_json(out / "metrics.json")["n_forgotten_conversations"] == 1
    assert not any(b"secret" in content for content in written(out).values())


@pytest.mark.parametrize("path", ["elsewhere/*.jsonl", "logs/../secret.jsonl", "logs2/a.jsonl"])
def test_a_source_outside_the_watched_folder_is_an_error_that_says_why(logs: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"is not inside ingest.watch .* new logs would go unnoticed: move the logs"):
        ingest(logs.parent, path)


def test_a_watched_file_may_be_the_source_itself(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(line("x", "1"))
    assert read_json(ingest(tmp_path, "one.jsonl", watch="one.jsonl") / "metrics.json")["n_messages"] == 1


def test_a_log_in_which_nothing_can_be_read_is_an_error_that_counts_the_reasons(logs: Path) -> None:
    (logs / "a.jsonl").write_text("{broken\n" + line("x") + line("y"))
    with pytest.raises(DataError) as error:
        ingest(logs.parent, "logs/*.jsonl")
    first, *examples = str(error.value).splitlines()
    assert first == "no conversation could be read; 3 records were rejected, mend the logs or ingest.sources:"
    assert [example[:5] for example in examples] == ["  2 ×", "  1 ×"]
    assert [example.rpartition(" (")[2] for example in examples] == ["first: a.jsonl:2)", "first: a.jsonl:1)"]
    assert written(logs.parent / "out") == {}


def test_of_very_many_reasons_the_most_frequent_are_told(logs: Path) -> None:
    (logs / "a.jsonl").write_text("".join(line(f"c{n}", "hi", role=f"role{n // 2}") for n in range(31)))
    with pytest.raises(DataError) as error:
        ingest(logs.parent, "logs/*.jsonl")
    _, *examples, further = str(error.value).splitlines()
    assert [example[:5] for example in examples] == ["  2 ×"] * 10
    assert further == "  and 6 other reasons"


def test_reasons_beyond_the_most_frequent_are_counted_together(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MOST_COUNTED", 1)
    (logs / "a.jsonl").write_text(
        line("x", "1") + line("b", "hi", role="z") + "{\n[\n" + "".join(line("c") for _ in range(3))
    )
    counted = read_json(ingest(logs.parent, "logs") / "metrics.json")["rejected_by_reason"]
    assert list(counted.values()) == [3, 3]
    assert list(counted)[1] == "other reasons"


def test_a_file_most_of_which_is_rejected_is_a_warning_with_examples(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "a.jsonl").write_text(line("x", "1") + "{\n{\n")
    (logs / "b.jsonl").write_text(line("y", "1") + line("z", "1") + "{\n")
    ingest(logs.parent, "logs")
    warned = [text for text in capsys.readouterr().err.splitlines() if "warning" in text or "×" in text]
    read, _, rejected = warned[0].partition("; ")
    assert read == "warning: a.jsonl: only 1 conversations could be read"
    assert rejected == "2 records were rejected, mend the logs or ingest.sources:"
    assert warned[1].startswith("  2 × broken JSON")
    assert warned[1].endswith("(first: a.jsonl:2)")
    assert len(warned) == 2


def test_an_empty_log_is_an_error_that_says_so(logs: Path) -> None:
    (logs / "a.jsonl").touch()
    with pytest.raises(DataError, match="every log is empty; add logs at a path of"):
        ingest(logs.parent, "logs/*.jsonl")


def test_whatever_code_the_stage_depends_on_makes_the_tables_anew() -> None:
    deps = next(each.deps for each in STAGES if each.name == "ingest")
    assert sorted(stage.CODE) == sorted(dep for dep in deps if dep.startswith(("src/", "stages/")))
