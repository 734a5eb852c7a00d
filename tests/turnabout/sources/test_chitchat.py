import json
from datetime import UTC, datetime

from turnabout.sources import SOURCES
from turnabout.sources.base import Batch
from turnabout.sources.chitchat import Chitchat, judged
from turnabout.sources.files import batched


def text(sender: str, said: str, second: int) -> dict[str, str]:
    return {"sender": sender, "text": said, "timestamp": f"2018-05-02T19:38:{second:02}Z"}


def record(*bursts: list[dict[str, str]], **further: object) -> dict[str, object]:
    return {"start": bursts[0][0]["timestamp"], "messages": list(bursts), **further}


def read(records: dict[str, object]) -> Batch:
    (batch,) = batched(judged(records), "chitchat")
    return batch


def test_a_burst_is_one_message_and_the_first_speaker_is_the_user() -> None:
    first = [text("ann", "Hello", 15), text("ann", "How are you?", 20)]
    messages, rejected = read({"x": record(first, [text("bob", "fine", 33)])})
    wanted = ["conversation_id", "message_index", "role", "text", "user_key", "source", "model"]
    assert messages.select(wanted).rows() == [
        ("chitchat:x", 0, "user", "Hello\nHow are you?", "ann", "chitchat", None),
        ("chitchat:x", 1, "assistant", "fine", "bob", "chitchat", None),
    ]
    assert messages["at"].to_list() == [datetime(2018, 5, 2, 19, 38, s, tzinfo=UTC) for s in (15, 33)]
    assert rejected.is_empty()


def test_consecutive_bursts_of_one_person_are_one_message() -> None:
    messages, _ = read({"x": record([text("ann", "a", 1)], [text("ann", "b", 2)], [text("bob", "c", 3)])})
    assert messages["text"].to_list() == ["a\nb", "c"]


def test_what_else_is_known_of_a_record_is_kept_with_message_0_in_order_of_key() -> None:
    bursts = [text("ann", "a", 1)], [text("bob", "b", 2)]
    messages, _ = read({"x": record(*bursts, start="s", ratings={"fun": 3}, prompt="p")})
    assert messages["extras"].to_list() == [
        '{"conversation": {"prompt": "p", "ratings": {"fun": 3}, "start": "s"}}',
        "{}",
    ]
    assert messages["rating"].null_count() == 2


def test_a_record_without_exactly_two_people_is_rejected_with_the_reason() -> None:
    alone = record([text("ann", "anyone?", 1)], [text("ann", "no", 2)])
    crowd = record(*[[text(person, "hi", 1)] for person in ("ann", "bob", "cyd")])
    messages, rejected = read({"alone": alone, "crowd": crowd})
    assert messages.is_empty()
    assert rejected.rows() == [
        ("chitchat", "chitchat:alone", "one person talking to nobody", "anyone? no"),
        ("chitchat", "chitchat:crowd", "3 people, must be two", "hi hi hi"),
    ]


def test_the_shipped_log_has_4018_conversations_of_two_people() -> None:
    """Counted from the file itself, without this source: 7,168 records, 4,018 with two senders, 3,150 with one."""
    source = SOURCES["chitchat"].model_validate({"format": "chitchat"})
    (piece,) = source.pieces()
    batches = list(source.batches(piece))
    assert len(batches) > 1
    assert sum(batch.messages["conversation_id"].n_unique() for batch in batches) == 4018
    assert sum(batch.quarantine.height for batch in batches) == 3150
    assert Chitchat().inputs() == []
    assert all(isinstance(json.loads(extras), dict) for extras in batches[0].messages["extras"].head(100))
