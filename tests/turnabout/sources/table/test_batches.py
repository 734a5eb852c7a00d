import pytest

from turnabout.sources.table import batches
from turnabout.sources.table.batches import collect_batches
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.rejects import Reject

REJECT = Reject(source="s", record="r", reason="w", excerpt="")


def build_conversation(n: int, text: str = "x") -> LoggedConversation:
    return LoggedConversation([LoggedMessage("user", text)] * n, location="log.jsonl:7")


def test_batches_are_bounded_and_hold_whole_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 3)
    items: list[LoggedConversation | Reject] = [
        build_conversation(2),
        build_conversation(2),
        REJECT,
        REJECT,
        build_conversation(1),
    ]
    collected = list(collect_batches(items, "s"))
    assert [(batch.messages.height, batch.quarantine.height) for batch in collected] == [(4, 0), (1, 2), (0, 0)]


def test_batches_of_long_messages_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 4)
    long, short = build_conversation(1, "ééé"), build_conversation(1, "é")  # 6 and 2 bytes, and 2 of extras
    alternative = LoggedConversation([LoggedMessage("user", "", alternatives=["é"])])
    collected = collect_batches([long, short, short, alternative, short], "s")
    assert [batch.messages.height for batch in collected] == [1, 1, 1, 1, 1, 0]


def test_unwritable_conversation_is_quarantined_with_its_location() -> None:
    (batch,) = collect_batches([build_conversation(1), build_conversation(2, "a\ud800b"), build_conversation(0)], "s")
    assert batch.messages.height == 1
    assert batch.quarantine.rows() == [
        ("s", "log.jsonl:7", "text: a lone surrogate character, which no encoding can write", "a?b a?b"),
        ("s", "log.jsonl:7", "messages: expected at least one, got none", ""),
    ]


def test_hint_is_added_only_where_the_format_is_uncertain() -> None:
    items = [REJECT, REJECT._replace(content=None), REJECT._replace(content=[1])]
    (batch,) = collect_batches(items, "s", lambda content, tried: f"; {content} is no {tried}")
    assert batch.quarantine["reason"].to_list() == ["w", "w; None is no s", "w; [1] is no s"]
    (without_hints,) = collect_batches(items, "s")
    assert without_hints.quarantine["reason"].to_list() == ["w"] * 3
