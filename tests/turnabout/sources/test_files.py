import json
from pathlib import Path

import msgspec
import pytest

from turnabout.sources import files
from turnabout.sources.files import batched, reason
from turnabout.sources.openai import OpenAI
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage


def conversation(n: int, text: str = "x") -> LoggedConversation:
    return LoggedConversation([LoggedMessage("user", text)] * n, where="log.jsonl:7")


def test_batches_are_bounded_and_hold_whole_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_MESSAGES", 3)
    rejected = {"source": "s", "record": "r", "reason": "w", "excerpt": ""}
    batches = list(batched([conversation(2), conversation(2), rejected, rejected, conversation(1)], "s"))
    assert [(batch.messages.height, batch.quarantine.height) for batch in batches] == [(4, 0), (1, 2), (0, 0)]


def test_batches_of_long_messages_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_BYTES", 4)
    long, short = conversation(1, "ééé"), conversation(1, "é")  # 6 and 2 bytes, and 2 of extras
    aside = LoggedConversation([LoggedMessage("user", "", alternatives=["é"])])
    batches = batched([long, short, short, aside, short], "s")
    assert [batch.messages.height for batch in batches] == [1, 1, 1, 1, 1, 0]


def test_a_conversation_that_no_table_can_hold_is_quarantined_where_it_was_read() -> None:
    (batch,) = batched([conversation(1), conversation(2, "a\ud800b"), conversation(0)], "s")
    assert batch.messages.height == 1
    assert batch.quarantine.rows() == [
        ("s", "log.jsonl:7", "text: a lone surrogate character, which no encoding can write", "a?b a?b"),
        ("s", "log.jsonl:7", "messages: expected at least one, got none", ""),
    ]


def test_a_reason_names_the_field_without_its_position() -> None:
    class Row(msgspec.Struct):
        scores: dict[str, list[int]]

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"scores": {"a": [1, "2"]}}, Row)
    assert reason(caught.value) == "scores: expected `int`, got `str`"
    assert reason(ValueError("as it is")) == "as it is"


def test_the_pieces_are_the_files_by_name_and_the_input_is_the_path(tmp_path: Path) -> None:
    for day in (2, 1):
        told = {"conversation_id": f"c{day}", "messages": [{"role": "user", "content": "q"}]}
        (tmp_path / f"2024-05-0{day}.jsonl").write_text(json.dumps(told))
    source = OpenAI(path=str(tmp_path))
    assert [piece.name for piece in source.pieces()] == ["2024-05-01.jsonl", "2024-05-02.jsonl"]
    assert source.inputs() == [str(tmp_path)]
    first, _ = (batch for piece in source.pieces() for batch in source.batches(piece))
    assert first.messages["conversation_id"].to_list() == ["c1"]
