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
from pathlib import Path
from typing import Any, Literal

from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.files import batched
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage


class Chitchat(Source):
    """The embedded log; the user is the speaker of the first burst, the assistant is the other person."""

    format: Literal["chitchat"] = "chitchat"

    def pieces(self) -> list[Piece]:
        """The one file of the wheel."""
        return [Piece("chitchat", Path(str(files("chitchat_dataset") / "dataset.json")))]

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """The whole log in bounded batches, the earliest conversation first."""
        assert piece.path is not None
        records = json.loads(piece.path.read_text(encoding="utf-8"))
        return batched(judged(records), self.format)


def judged(records: Mapping[str, Any]) -> Iterator[LoggedConversation | dict[str, str]]:
    """The records in which two people speak as conversations, and a row of quarantine for each other, by start."""
    for key, record in sorted(records.items(), key=lambda item: (item[1]["start"], item[0])):
        n_people = len({text["sender"] for text in chain.from_iterable(record["messages"])})
        yield conversation(key, record) if n_people == 2 else rejection(key, record, n_people)


def conversation(key: str, record: Mapping[str, Any]) -> LoggedConversation:
    """One message is all that one person sends before the other answers, a line each."""
    texts = chain.from_iterable(record["messages"])
    bursts = [(sender, list(burst)) for sender, burst in groupby(texts, key=itemgetter("sender"))]
    messages = [
        LoggedMessage(
            role="user" if sender == bursts[0][0] else "assistant",
            text="\n".join(text["text"] for text in burst),
            at=datetime.fromisoformat(burst[0]["timestamp"]),
            user_key=sender,
        )
        for sender, burst in bursts
    ]
    further = {name: value for name, value in record.items() if name != "messages"}
    return LoggedConversation(messages, conversation_id=f"chitchat:{key}", extras=further)


def rejection(key: str, record: Mapping[str, Any], n_people: int) -> dict[str, str]:
    """The quarantine row of a record in which not exactly two people speak."""
    return {
        "source": "chitchat",
        "record": f"chitchat:{key}",
        "reason": "one person talking to nobody" if n_people == 1 else f"{n_people} people, must be two",
        "excerpt": " ".join(text["text"] for text in chain.from_iterable(record["messages"]))[:200],
    }
