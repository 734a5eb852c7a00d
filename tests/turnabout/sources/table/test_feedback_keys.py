"""Feedback and times under other names than those of the table of messages."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from turnabout.sources.messages import Messages
from turnabout.sources.openai import OpenAI
from turnabout.sources.sharegpt import ShareGPT
from turnabout.sources.table.batches import Batch
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.feedback_keys import read_feedback_keys

#: date -u -d @1714550400
AT = datetime(2024, 5, 1, 8, tzinfo=UTC)

QUESTION = LoggedMessage("user", "q")


def read_extras(*messages: LoggedMessage, **extras: Any) -> LoggedConversation:
    return read_feedback_keys(LoggedConversation(messages, extras=extras))


def build_reply(text: str = "a", **extras: Any) -> LoggedMessage:
    return LoggedMessage("assistant", text, extras=extras)


def read_records(folder: Path, source: type[OpenAI | ShareGPT], *records: dict[str, Any]) -> Batch:
    (folder / "log.json").write_text(json.dumps(records))
    opened = source(path=str(folder / "log.json"))
    (batch,) = opened.read_batches(opened.list_pieces()[0])
    return batch


def test_preference_pair_of_sharegpt_becomes_a_reply_with_an_alternative(tmp_path: Path) -> None:
    """Read a record of LLaMA-Factory's `dpo_en_demo.json`, shortened."""
    batch = read_records(
        tmp_path,
        ShareGPT,
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
    )
    assert batch.messages.select("role", "text", "alternatives", "preferences", "extras").rows() == [
        ("user", "q", None, None, "{}"),
        ("assistant", "good", ["bad"], [1.0], "{}"),
    ]
    assert batch.unread_feedback == {}


def test_label_of_openai_records_rates_the_last_reply(tmp_path: Path) -> None:
    """Read records of LLaMA-Factory's `kto_en_demo.json`, shortened."""
    turns = [{"role": role, "content": role[0] + str(n)} for n in range(2) for role in ("user", "assistant")]
    batch = read_records(tmp_path, OpenAI, {"messages": turns, "label": True}, {"messages": turns[:2], "label": False})
    assert batch.messages.select("text", "rating").rows() == [
        ("u0", None),
        ("a0", None),
        ("u1", None),
        ("a1", 1.0),
        ("u0", None),
        ("a0", -1.0),
    ]
    assert set(batch.messages["extras"]) == {"{}"}


def test_columns_of_a_table_under_other_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "conversation_id,role,text,created_at,thumbs,label,rejected,stars\n"
        "1,user,q,2024-05-01 08:00:00,,,,\n1,assistant,a,1714550400,down,,b,\n2,assistant,a,,,true,,4\n"
    )
    source = Messages(path=str(tmp_path / "log.csv"))
    (batch,) = source.read_batches(source.list_pieces()[0])
    assert batch.messages.select("at", "rating", "alternatives", "preferences", "extras").rows() == [
        (AT, None, None, None, "{}"),
        (AT, -1.0, ["b"], [1.0], "{}"),
        (None, 1.0, None, None, '{"stars": "4"}'),
    ]
    assert batch.unread_feedback == {"stars": 1}


@pytest.mark.parametrize("key", ["created_at", "createdAt", "timestamp", "at", "sent_at", "date", "time"])
def test_time_under_any_name_is_read(key: str) -> None:
    read = read_extras(QUESTION._replace(extras={key: "2024-05-01T10:00:00+02:00", "x": 1}))
    assert (read.messages[0].at, read.messages[0].extras) == (AT, {"x": 1})


def test_day_of_a_parquet_file_is_a_time() -> None:
    read = read_extras(QUESTION._replace(extras={"date": date(2024, 5, 1)}))
    assert read.messages[0].at == AT.replace(hour=0)


@pytest.mark.parametrize("value", ["yesterday", 12.5, True, "00:00:12", ["2024-05-01"]])
def test_what_is_no_time_stays_in_the_extras_and_is_reported(value: Any) -> None:
    read = read_extras(QUESTION._replace(extras={"timestamp": value}))
    assert (read.messages[0].at, read.messages[0].extras) == (None, {"timestamp": value})
    assert read.unread_feedback == ["timestamp"]


def test_time_of_a_conversation_is_that_of_message_0_where_no_message_has_one() -> None:
    alone = read_extras(QUESTION, build_reply(), created_at=1714550400)
    assert ([message.at for message in alone.messages], alone.extras) == ([AT, None], {})
    timed = read_extras(QUESTION, build_reply(date="2024-05-02"), created_at=1714550400)
    assert timed.messages[0].at is None
    assert (timed.extras, timed.unread_feedback) == ({"created_at": 1714550400}, [])


@pytest.mark.parametrize(
    ("extras", "rating"),
    [
        ({"thumbs": "up"}, 1.0),
        ({"thumbs": "👎🏽"}, -1.0),
        ({"thumb": True}, 1.0),
        ({"thumbs": -1}, -1.0),
        ({"feedback": "thumbs_down"}, -1.0),
        ({"feedback": {"thumbs": "up"}}, 1.0),
        ({"label": False}, -1.0),
        ({"kto_tag": True}, 1.0),
        ({"rating": 4}, 4.0),
    ],
)
def test_thumb_on_the_only_reply_is_its_rating(extras: dict[str, Any], rating: float) -> None:
    of_reply = read_extras(QUESTION, build_reply(**extras))
    of_conversation = read_extras(QUESTION, build_reply(), **extras)
    for read in (of_reply, of_conversation):
        assert ([message.rating for message in read.messages], read.unread_feedback) == ([None, rating], [])
        assert not any((read.extras, read.messages[1].extras))


@pytest.mark.parametrize(
    "extras",
    [
        {"thumbs": 0},
        {"thumbs": "sideways"},
        {"feedback": True},
        {"feedback": "I liked it"},
        {"label": 1},
        {"label": "sports"},
        {"score": 0.7},
        {"chosen": "a", "rejected": "a"},
        {"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "rejected": "b"},
        {"chosen": "another", "rejected": "b"},
    ],
)
def test_ambiguous_feedback_stays_in_the_extras_and_is_reported(extras: dict[str, Any]) -> None:
    read = read_extras(QUESTION, build_reply(), **extras)
    assert (read.messages, read.extras) == ([QUESTION, build_reply()], extras)
    assert read.unread_feedback == sorted(extras)


def test_thumb_of_a_conversation_of_several_replies_is_about_none_of_them() -> None:
    read = read_extras(QUESTION, build_reply(), QUESTION, build_reply(), thumbs="up", rating=4)
    assert not any(message.rating for message in read.messages)
    assert read.unread_feedback == ["rating", "thumbs"]


def test_comment_beside_a_thumb_stays_in_the_extras() -> None:
    read = read_extras(QUESTION, build_reply(feedback={"thumbs": "up", "comment": "nice"}))
    assert (read.messages[1].rating, read.messages[1].extras) == (1.0, {"feedback": {"comment": "nice"}})
    assert read.unread_feedback == []


def test_columns_that_are_filled_are_not_overwritten() -> None:
    rated = build_reply(thumbs="down")._replace(rating=1.0, at=AT)
    read = read_extras(QUESTION, rated._replace(extras={"thumbs": "down", "timestamp": 0}))
    assert (read.messages[1].rating, read.messages[1].at) == (1.0, AT)
    assert read.unread_feedback == ["thumbs"]


def test_feedback_on_a_users_message_is_reported() -> None:
    assert read_extras(QUESTION._replace(extras={"thumbs": "up"})).unread_feedback == ["thumbs"]


def test_empty_feedback_is_none() -> None:
    assert read_extras(QUESTION, build_reply(thumbs=None), feedback={}, scores=[], label="").unread_feedback == []
