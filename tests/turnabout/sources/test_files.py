import json
from pathlib import Path

from turnabout.sources.openai import OpenAI


def test_pieces_are_the_files_by_name_and_the_input_is_the_path(tmp_path: Path) -> None:
    for day in (2, 1):
        record = {"conversation_id": f"c{day}", "messages": [{"role": "user", "content": "q"}]}
        (tmp_path / f"2024-05-0{day}.jsonl").write_text(json.dumps(record))
    source = OpenAI(path=str(tmp_path))
    assert [piece.name for piece in source.list_pieces()] == ["2024-05-01.jsonl", "2024-05-02.jsonl"]
    assert source.list_inputs() == [str(tmp_path)]
    first, _ = (batch for piece in source.list_pieces() for batch in source.read_batches(piece))
    assert first.messages["conversation_id"].to_list() == ["c1"]
