import json
from pathlib import Path

from benchmarks.log_samples import samples
from turnabout.sources.auto import Auto, format_of
from turnabout.sources.detection import formats


def test_every_file_of_a_folder_is_read_as_the_format_it_is_of(tmp_path: Path) -> None:
    for name, record in samples("mark").items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record))
    source = Auto(path=str(tmp_path))
    read = {piece.name: batch for piece in source.pieces() for batch in source.batches(piece)}
    assert {name: batch.messages["source"].unique().to_list() for name, batch in read.items()} == {
        f"{name}.jsonl": [name] for name in formats()
    }


def test_the_most_of_the_first_records_decide(tmp_path: Path) -> None:
    made = samples("mark")
    told = [made["openai"], made["sharegpt"], made["sharegpt"]]
    (tmp_path / "log.jsonl").write_text("{\n" + "\n".join(map(json.dumps, told)))
    assert format_of(tmp_path / "log.jsonl") == "sharegpt"


def test_a_file_of_no_known_format_is_quarantined_with_its_keys(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"turns": []}\n{\n')
    source = Auto(path=str(tmp_path))
    (batch,) = source.batches(source.pieces()[0])
    unknown, broken = batch.quarantine["reason"]
    assert unknown.startswith("record: of a file that no format recognises; of no known format (chat_completions,")
    assert unknown.endswith("): keys turns list")
    assert broken.startswith("broken JSON")
