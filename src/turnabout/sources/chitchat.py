"""The log that the `chitchat-dataset` wheel ships.

It holds 7,168 records of real chats among people, from spring to autumn 2018. A record, under its id:

    "a07e": {"messages": [[{"text": "Hello", "timestamp": "2018-05-02T19:38:15Z", "sender": "720"},
                           {"text": "How are you?", "timestamp": "2018-05-02T19:38:20Z", "sender": "720"}],
                          [{"text": "fine", "timestamp": "2018-05-02T19:38:33Z", "sender": "549"}]],
             "prompt": "…", "ratings": {…}, "start": "2018-05-02T19:38:00Z"}

becomes conversation `chitchat:a07e` of two messages, "Hello⏎How are you?" by the user 720 and "fine" by 549, who plays
the assistant. No speaker is a model, so both roles have a `user_key`. Times are local although the file marks them as
UTC: they are good for order and day, not for the hour. Half of the `ratings` are untouched defaults and no field says
who gave them, so they are kept in `extras` and never become `rating`.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from turnabout.sources.base import Piece, Source
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.rejects import Reject


class Chitchat(Source):
    """The embedded log.

    The user is the first speaker, the assistant the other person.
    """

    format: Literal["chitchat"] = "chitchat"

    def list_pieces(self) -> list[Piece]:
        """Return the one file of the wheel."""
        return [Piece("chitchat", Path(str(files("chitchat_dataset") / "dataset.json")))]

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the whole log, the earliest conversation first."""
        assert piece.path is not None
        return parse_log(json.loads(piece.path.read_text(encoding="utf-8")))


def parse_log(records: Mapping[str, Any]) -> Iterator[LoggedConversation | Reject]:
    """Yield the conversations of the log, and rejects, in order of start.

    Records without exactly two people are rejected.
    """
    for key, record in sorted(records.items(), key=lambda item: (item[1]["start"], item[0])):
        n_people = len({text["sender"] for text in chain.from_iterable(record["messages"])})
        yield build_conversation(key, record) if n_people == 2 else reject_record(key, record, n_people)


def build_conversation(key: str, record: Mapping[str, Any]) -> LoggedConversation:
    """Return the conversation of one record.

    A message is all that one person sends before the other answers, one line a text.
    """
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
    extras = {name: value for name, value in record.items() if name != "messages"}
    return LoggedConversation(messages, conversation_id=f"chitchat:{key}", extras=extras)


def reject_record(key: str, record: Mapping[str, Any], n_people: int) -> Reject:
    """Return the reject of a record without exactly two people."""
    return Reject(
        source="chitchat",
        record=f"chitchat:{key}",
        reason="one person talking to nobody" if n_people == 1 else f"{n_people} people, must be two",
        excerpt=" ".join(text["text"] for text in chain.from_iterable(record["messages"]))[:200],
    )
