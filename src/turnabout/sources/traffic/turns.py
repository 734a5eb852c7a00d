"""Turns of traced assistants as conversations.

A turn is one call with its input, its reply and its feedback. Tracers write one record per call and mark it with its
session. Sessions interleave, so the turns are sorted on disk, in a temporary SQLite database: memory holds one session
at a time.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.rejects import Reject, build_reject
from turnabout.sources.traffic.payloads import InputMessage


class Turn(msgspec.Struct, kw_only=True):
    """One call of an assistant.

    Fields without a comment are as in `LoggedMessage`, for the reply.
    """

    trace_id: str
    session: str | None = None
    """Its conversation; without one the turn is a conversation of its own."""
    rank: int = 1
    """Of the records of one trace, the latest of the highest rank is the turn; those of rank 0 are parts of a turn."""
    location: str | None = None
    """The record that it was read from, for the quarantine."""
    input: list[InputMessage]
    """The input: the user's last message, perhaps after the history."""
    reply: str
    at: datetime | None = None
    """Time of the input, UTC."""
    user_id: str | None = None
    model: str | None = None
    rating: float | None = None
    reaction: str | None = None
    edited_text: str | None = None
    extras: dict[str, Any] = {}


def group_by_session(items: Iterable[Turn | Reject], source: str) -> Iterator[LoggedConversation | Reject]:
    """Yield rejects as they come, then one conversation per session.

    The session that began first comes first. A trace that occurs twice with the same rank is a duplicate: the earlier
    record is rejected. Parts of a turn are not.
    """
    with closing(sqlite3.connect("")) as spool:
        spool.execute("CREATE TABLE turns (trace PRIMARY KEY, session, rank, at, turn)")
        for item in items:
            if not isinstance(item, Turn):
                yield item
                continue
            try:
                duplicate = _store_turn(spool, item)
            except UnicodeEncodeError:
                yield _reject_turn(source, item, "text: a lone surrogate character, which no encoding can write")
                continue
            if duplicate:
                yield _reject_turn(source, duplicate, "trace id: occurs again, and the latest record of a trace counts")
        session_start = "min(at) OVER (PARTITION BY session)"
        rows = spool.execute(f"SELECT session, turn FROM turns ORDER BY {session_start}, session, at, trace")
        for session, group in groupby(rows, key=itemgetter(0)):
            yield build_conversation(session, [msgspec.json.decode(turn, type=Turn) for _, turn in group])


def _store_turn(spool: sqlite3.Connection, turn: Turn) -> Turn | None:
    """Store the turn, or keep the stored record of its trace.

    Returns the record that is dropped if both are whole turns of the same rank.
    """
    at = turn.at.timestamp() if turn.at else 0.0
    row = (turn.trace_id, turn.session or turn.trace_id, turn.rank, at, msgspec.json.encode(turn))
    stored = spool.execute("SELECT rank, at, turn FROM turns WHERE trace = ?", row[:1]).fetchone()
    is_latest = stored is None or (turn.rank, at) > stored[:2]
    if is_latest:
        spool.execute("REPLACE INTO turns VALUES (?, ?, ?, ?, ?)", row)
    if stored is None or turn.rank == 0 or turn.rank != stored[0]:
        return None
    return msgspec.json.decode(stored[2], type=Turn) if is_latest else turn


def _reject_turn(source: str, turn: Turn, reason: str) -> Reject:
    record = Record(turn.location or turn.trace_id, None, None, turn.reply[:200])
    return build_reject(source, record, reason)


def build_conversation(session: str, turns: Sequence[Turn]) -> LoggedConversation:
    """Return the turns of one session, in order, as one conversation.

    Where inputs carry the history, only what follows it is new. A turn with the same input as the turn before is then a
    regeneration: the earlier reply becomes an alternative of the later one.
    """
    has_history = any(_has_reply(turn.input) for turn in turns[1:])
    messages: list[LoggedMessage] = []
    replaced: list[Turn] = []
    for index, turn in enumerate(turns):
        if index and has_history and turn.input == turns[index - 1].input:
            messages.pop()
            replaced.append(turns[index - 1])
        else:
            replaced = []
            new = _select_new_messages(turn.input) if index else turn.input
            messages += [LoggedMessage(role=message.role, text=message.text) for message in new[:-1]]
            messages.append(LoggedMessage(role=new[-1].role, text=new[-1].text, at=turn.at))
        messages.append(_build_reply(turn, replaced))
    user_id = next((turn.user_id for turn in turns if turn.user_id), None)
    return LoggedConversation(messages, conversation_id=session, user_id=user_id)


def _has_reply(messages: Iterable[InputMessage]) -> bool:
    return any(message.role == "assistant" for message in messages)


def _select_new_messages(messages: Sequence[InputMessage]) -> Sequence[InputMessage]:
    """Return the messages of an input that are new.

    They follow the last reply before the user's last message. Calls and results of tools that follow the user's
    message are included, system prompts are not.
    """
    users = [index for index, message in enumerate(messages) if message.role == "user"] or [0]
    replies = [index for index, message in enumerate(messages[: users[-1]]) if message.role == "assistant"]
    start = replies[-1] + 1 if replies else 0
    new = [message for message in messages[start:] if message.role != "system"]
    return new or messages[-1:]


def _build_reply(turn: Turn, replaced: Sequence[Turn]) -> LoggedMessage:
    """Return a reply with the replies that it replaced as alternatives.

    It has no `preferences` where nobody rated both it and an alternative: the user just asked again.
    """
    preferences = [compare_ratings(turn.rating, other.rating) for other in replaced]
    return LoggedMessage(
        role="assistant",
        text=turn.reply,
        rating=turn.rating,
        reaction=turn.reaction,
        edited_text=turn.edited_text,
        alternatives=[other.reply for other in replaced] or None,
        preferences=None if preferences.count(None) == len(preferences) else preferences,
        model=turn.model,
        extras=turn.extras,
    )


def compare_ratings(own: float | None, other: float | None) -> float | None:
    """Return 1 for a reply rated above the other, -1 below, 0 equal.

    Null unless both were rated.
    """
    if own is None or other is None:
        return None
    return float((own > other) - (own < other))


def parse_feedback(value: Any) -> tuple[float | None, str | None]:
    """Return a person's feedback as (rating, reaction).

    The rating is 1 for true, -1 for false, and a number itself; a text is a reaction.
    """
    if isinstance(value, bool):
        return (1.0 if value else -1.0), None
    if isinstance(value, int | float):
        return float(value), None
    return None, value if isinstance(value, str) and value else None
