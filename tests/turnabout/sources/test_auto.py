import json
from pathlib import Path

from benchmarks.log_samples import build_samples
from turnabout.sources.auto import Auto, detect_file_format
from turnabout.sources.detection import RECORD_FORMATS, suggest_format


def test_each_file_of_a_folder_is_read_in_its_own_format(tmp_path: Path) -> None:
    for name, record in build_samples("mark").items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record))
    source = Auto(path=str(tmp_path))
    batches = {piece.name: batch for piece in source.list_pieces() for batch in source.read_batches(piece)}
    assert {name: batch.messages["source"].unique().to_list() for name, batch in batches.items()} == {
        f"{name}.jsonl": [name] for name in RECORD_FORMATS
    }


def test_most_of_the_first_records_decide_the_format(tmp_path: Path) -> None:
    records = build_samples("mark")
    lines = [records["openai"], records["sharegpt"], records["sharegpt"]]
    (tmp_path / "log.jsonl").write_text("{\n" + "\n".join(map(json.dumps, lines)))
    assert detect_file_format(tmp_path / "log.jsonl") == "sharegpt"


def test_first_of_two_equally_frequent_formats_decides(tmp_path: Path) -> None:
    records = build_samples("mark")
    for first, second in (("openai", "sharegpt"), ("sharegpt", "openai")):
        (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(records[name]) for name in (first, second)))
        assert detect_file_format(tmp_path / "log.jsonl") == first


def test_person_session_and_scores_of_langfuse_traces_are_kept(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_text(json.dumps(build_samples("mark")["langfuse"]))
    source = Auto(path=str(tmp_path))
    (batch,) = source.read_batches(source.list_pieces()[0])
    last = batch.messages.row(-1, named=True)
    assert (last["source"], last["conversation_id"], last["rating"]) == ("langfuse", "mark", -1.0)
    assert batch.messages["user_key"].drop_nulls().unique().to_list() == ["ann"]


def test_file_of_unknown_format_is_quarantined_with_its_keys(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"turns": []}\n{\n')
    source = Auto(path=str(tmp_path))
    (batch,) = source.read_batches(source.list_pieces()[0], suggest_format)
    unknown, broken = batch.quarantine["reason"]
    assert unknown.startswith("record: of a file that no format recognises; of no known format (chat_completions,")
    assert unknown.endswith("): keys turns list")
    assert broken.startswith("broken JSON")
