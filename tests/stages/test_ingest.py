import json
from pathlib import Path

import pytest
import yaml

from stages.ingest import main
from turnabout import schemas
from turnabout.errors import ConfigError, DataError
from turnabout.io import read_frame, read_json

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def line(conversation_id: str, *texts: str, role: str = "user") -> str:
    messages = [{"role": role, "content": text} for text in texts]
    return json.dumps({"conversation_id": conversation_id, "messages": messages}) + "\n"


def ingest(folder: Path, *paths: str, watch: str = "logs") -> Path:
    """Run the stage on openai sources at these paths below `folder`; the folder of its outputs."""
    sources = [{"format": "openai", "path": str(folder / path)} for path in paths]
    section = {"watch": watch, "sources": sources}
    params = yaml.safe_load(SHIPPED.read_text()) | {"ingest": section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    out = folder / "out"
    main(folder / watch, out / "m.parquet", out / "q.parquet", out / "metrics.json", params=folder / "params.yaml")
    return out


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def test_sources_become_one_sorted_table_and_what_failed_is_counted(logs: Path) -> None:
    (logs / "a.jsonl").write_text(line("z", "1", "2") + line("x", "3") + "{broken\n" + line("w", "4", role="bot"))
    (logs / "b.jsonl").write_text(line("x", "again", "and again") + line("y", "5"))
    out = ingest(logs.parent, "logs/a.jsonl", "logs/b.jsonl")
    messages = read_frame(out / "m.parquet", schemas.MESSAGES)
    assert messages.select("conversation_id", "message_index", "text").rows() == [
        ("x", 0, "3"),
        ("y", 0, "5"),
        ("z", 0, "1"),
        ("z", 1, "2"),
    ]
    rejected = read_frame(out / "q.parquet", schemas.QUARANTINE)
    assert rejected["record"].to_list() == ["a.jsonl:3", "a.jsonl:4", "x"]
    assert rejected.row(2) == ("openai", "x", "conversation id occurs in an earlier source", "again")
    assert read_json(out / "metrics.json") == {
        "n_conversations": 3,
        "n_messages": 4,
        "n_rejected": 3,
        "rejected_by_reason": {
            "broken JSON: key must be a string": 1,
            "conversation id occurs in an earlier source": 1,
            "messages.role: Input should be 'system', 'developer', 'user', 'assistant' or 'tool'": 1,
        },
        "conversations_by_source": {"openai": 3},
    }


def test_the_same_logs_give_the_same_bytes(logs: Path) -> None:
    (logs / "a.jsonl").write_text(line("z", "1") + line("x", "2") + "{broken\n")
    out = ingest(logs.parent, "logs/*.jsonl")
    first = [path.read_bytes() for path in sorted(out.iterdir())]
    ingest(logs.parent, "logs/*.jsonl")
    assert [path.read_bytes() for path in sorted(out.iterdir())] == first


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
    assert str(error.value).splitlines() == [
        "no conversation could be read; 3 records were rejected, mend the logs:",
        "  1 × broken JSON: key must be a string (first: a.jsonl:1)",
        "  2 × messages: List should have at least 1 item after validation, not 0 (first: a.jsonl:2)",
    ]
    assert not (logs.parent / "out").exists()


def test_an_empty_log_is_an_error_that_says_so(logs: Path) -> None:
    (logs / "a.jsonl").touch()
    with pytest.raises(DataError, match="every log is empty; add logs at a path of"):
        ingest(logs.parent, "logs/*.jsonl")
