import json
from datetime import UTC, datetime

from turnabout.sources import SOURCES
from turnabout.sources.chitchat import Chitchat, parse_log
from turnabout.sources.table.batches import Batch, collect_batches


def build_text(sender: str, content: str, second: int) -> dict[str, str]:
    return {"sender": sender, "text": content, "timestamp": f"2018-05-02T19:38:{second:02}Z"}


def build_record(*bursts: list[dict[str, str]], **fields: object) -> dict[str, object]:
    return {"start": bursts[0][0]["timestamp"], "messages": list(bursts), **fields}


def read_batch(records: dict[str, object]) -> Batch:
    (batch,) = collect_batches(parse_log(records), "chitchat")
    return batch


def test_burst_is_one_message_and_first_speaker_is_the_user() -> None:
    first = [build_text("ann", "Hello", 15), build_text("ann", "How are you?", 20)]
    messages, rejected, *_ = read_batch({"x": build_record(first, [build_text("bob", "fine", 33)])})
    wanted = ["conversation_id", "message_index", "role", "text", "user_key", "source", "model"]
    assert messages.select(wanted).rows() == [
        ("chitchat:x", 0, "user", "Hello\nHow are you?", "ann", "chitchat", None),
        ("chitchat:x", 1, "assistant", "fine", "bob", "chitchat", None),
    ]
    assert messages["at"].to_list() == [datetime(2018, 5, 2, 19, 38, s, tzinfo=UTC) for s in (15, 33)]
    assert rejected.is_empty()


def test_consecutive_bursts_of_one_person_are_one_message() -> None:
    messages, *_ = read_batch(
        {"x": build_record([build_text("ann", "a", 1)], [build_text("ann", "b", 2)], [build_text("bob", "c", 3)])}
    )
    assert messages["text"].to_list() == ["a\nb", "c"]


def test_other_fields_of_a_record_are_kept_with_message_0() -> None:
    bursts = [build_text("ann", "a", 1)], [build_text("bob", "b", 2)]
    messages, *_ = read_batch({"x": build_record(*bursts, start="s", ratings={"fun": 3}, prompt="p")})
    assert messages["extras"].to_list() == [
        '{"conversation": {"prompt": "p", "ratings": {"fun": 3}, "start": "s"}}',
        "{}",
    ]
    assert messages["rating"].null_count() == 2


def test_record_without_exactly_two_people_is_rejected() -> None:
    alone = build_record([build_text("ann", "anyone?", 1)], [build_text("ann", "no", 2)])
    crowd = build_record(*[[build_text(person, "hi", 1)] for person in ("ann", "bob", "cyd")])
    messages, rejected, *_ = read_batch({"alone": alone, "crowd": crowd})
    assert messages.is_empty()
    assert rejected.rows() == [
        ("chitchat", "chitchat:alone", "one person talking to nobody", "anyone? no"),
        ("chitchat", "chitchat:crowd", "3 people, must be two", "hi hi hi"),
    ]


def test_shipped_log_has_4018_conversations_of_two_people() -> None:
    """Compare with counts made from the file itself, without this source.

    It has 7,168 records: 4,018 with two senders and 3,150 with one.
    """
    source = SOURCES["chitchat"].model_validate({"format": "chitchat"})
    (piece,) = source.list_pieces()
    batches = list(source.read_batches(piece))
    assert len(batches) > 1
    assert sum(batch.messages["conversation_id"].n_unique() for batch in batches) == 4018
    assert sum(batch.quarantine.height for batch in batches) == 3150
    assert Chitchat().list_inputs() == []
    assert all(isinstance(json.loads(extras), dict) for extras in batches[0].messages["extras"].head(100))
