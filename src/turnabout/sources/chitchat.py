"""The log that the `chitchat-dataset` wheel ships: 7,168 records of real chats among people, spring to autumn 2018.

A record, under its id:

    "a07e": {"messages": [[{"text": "Hello", "timestamp": "2018-05-02T19:38:15Z", "sender": "720"},
                           {"text": "How are you?", "timestamp": "2018-05-02T19:38:20Z", "sender": "720"}],
                          [{"text": "fine", "timestamp": "2018-05-02T19:38:33Z", "sender": "549"}]],
             "prompt": "…", "ratings": {…}, "start": "2018-05-02T19:38:00Z"}

becomes conversation `chitchat:a07e` of two messages, "Hello⏎How are you?" by the user 720 and "fine" by 549, who plays
the assistant. Nobody in it is a model, so both roles have a `user_key`. Times are local although the file marks them
UTC: good for order and day, not for the hour. `ratings` are untouched defaults half of the time and no field says who
gave them, so they are kept in `extras` and never become `rating`.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Literal

import polars as pl

from turnabout import schemas
from turnabout.sources.base import Batch, Source


class Chitchat(Source):
    """The embedded log; the user is the speaker of the first burst, the assistant is the other person."""

    format: Literal["chitchat"] = "chitchat"

    def batches(self) -> Iterator[Batch]:
        """The whole log as one batch (0.2 million short texts)."""
        yield read(json.loads((files("chitchat_dataset") / "dataset.json").read_text(encoding="utf-8")))


def read(records: Mapping[str, Any]) -> Batch:
    """Messages of the records in which two people speak; the others are rejected with the reason."""
    accepted: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    for key, record in records.items():
        n_people = len({text["sender"] for text in chain.from_iterable(record["messages"])})
        if n_people == 2:
            accepted += messages_of(key, record)
        else:
            rejected.append(rejection(key, record, n_people))
    return Batch(pl.DataFrame(accepted, schema=schemas.MESSAGES), pl.DataFrame(rejected, schema=schemas.QUARANTINE))


def messages_of(key: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per message: all that one person sends before the other answers, a line each."""
    texts = chain.from_iterable(record["messages"])
    bursts = [(sender, list(burst)) for sender, burst in groupby(texts, key=itemgetter("sender"))]
    rows = [
        {
            "conversation_id": f"chitchat:{key}",
            "message_index": index,
            "role": "user" if sender == bursts[0][0] else "assistant",
            "text": "\n".join(text["text"] for text in burst),
            "at": datetime.fromisoformat(burst[0]["timestamp"]),
            "user_key": sender,
            "source": "chitchat",
            "extras": "{}",
        }
        for index, (sender, burst) in enumerate(bursts)
    ]
    further = {name: value for name, value in record.items() if name != "messages"}
    rows[0]["extras"] = json.dumps(further, sort_keys=True, ensure_ascii=False)
    return rows


def rejection(key: str, record: Mapping[str, Any], n_people: int) -> dict[str, str]:
    """The quarantine row of a record in which not exactly two people speak."""
    return {
        "source": "chitchat",
        "record": f"chitchat:{key}",
        "reason": "one person talking to nobody" if n_people == 1 else f"{n_people} people, must be two",
        "excerpt": " ".join(text["text"] for text in chain.from_iterable(record["messages"]))[:200],
    }
