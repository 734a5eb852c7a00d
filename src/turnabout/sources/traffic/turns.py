"""Turns of traced assistants as conversations: one call with its input, its reply and its feedback is a turn.

Tracers write one record per call and mark it with the session it belongs to. Sessions interleave, so the turns are
sorted on disk, in a temporary SQLite database: memory holds one session at a time.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from turnabout.sources.files import rejection
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.traffic.payloads import Said


class Turn(msgspec.Struct, kw_only=True):
    """One call of an assistant. Fields that no comment explains are as in `LoggedMessage`, for the reply."""

    trace_id: str
    session: str | None = None
    """Its conversation; without one the turn is a conversation of its own."""
    rank: int = 1
    """Of the records of one trace the one of highest rank, then the latest, is the turn; of rank 0 are parts of one."""
    where: str | None = None
    """The record it was read from, for the quarantine."""
    asked: list[Said]
    """The input: what the user said last, perhaps after the history."""
    reply: str
    at: datetime | None = None
    """When it was asked, UTC."""
    user_id: str | None = None
    model: str | None = None
    rating: float | None = None
    reaction: str | None = None
    edited_text: str | None = None
    extras: dict[str, Any] = {}


def by_session(judged: Iterable[Turn | dict[str, str]], source: str) -> Iterator[LoggedConversation | dict[str, str]]:
    """Rows of quarantine as they come, then the sessions as conversations, the one that began first first.

    A trace that comes twice with one rank is a double: the earlier record is rejected. Parts of a turn are not.
    """
    with closing(sqlite3.connect("")) as spool:
        spool.execute("CREATE TABLE turns (trace PRIMARY KEY, session, rank, at, turn)")
        for item in judged:
            if not isinstance(item, Turn):
                yield item
                continue
            try:
                double = _keep(spool, item)
            except UnicodeEncodeError:
                yield _rejection(source, item, "text: a lone surrogate character, which no encoding can write")
                continue
            if double:
                yield _rejection(source, double, "trace id: occurs again, and the latest record of a trace counts")
        began = "min(at) OVER (PARTITION BY session)"
        rows = spool.execute(f"SELECT session, turn FROM turns ORDER BY {began}, session, at, trace")
        for session, group in groupby(rows, key=itemgetter(0)):
            yield conversation(session, [msgspec.json.decode(turn, type=Turn) for _, turn in group])


def _keep(spool: sqlite3.Connection, turn: Turn) -> Turn | None:
    """Keep the turn, or what is there of its trace; of two whole turns the one that is not kept."""
    at = turn.at.timestamp() if turn.at else 0.0
    row = (turn.trace_id, turn.session or turn.trace_id, turn.rank, at, msgspec.json.encode(turn))
    there = spool.execute("SELECT rank, at, turn FROM turns WHERE trace = ?", row[:1]).fetchone()
    is_latest = there is None or (turn.rank, at) > there[:2]
    if is_latest:
        spool.execute("REPLACE INTO turns VALUES (?, ?, ?, ?, ?)", row)
    if there is None or turn.rank == 0 or turn.rank != there[0]:
        return None
    return msgspec.json.decode(there[2], type=Turn) if is_latest else turn


def _rejection(source: str, turn: Turn, why: str) -> dict[str, str]:
    record = Record(turn.where or turn.trace_id, None, None, turn.reply[:200])
    return rejection(source, record, why)


def conversation(session: str, turns: Sequence[Turn]) -> LoggedConversation:
    """The turns of one session, in order, as one conversation.

    Where inputs carry the history, only what follows it is new, and a turn with the same input as the one before is
    another reply to it: the earlier reply becomes its alternative.
    """
    with_history = any(message.role == "assistant" for turn in turns[1:] for message in turn.asked)
    messages: list[LoggedMessage] = []
    replaced: list[Turn] = []
    for nth, turn in enumerate(turns):
        if nth and with_history and turn.asked == turns[nth - 1].asked:
            messages.pop()
            replaced.append(turns[nth - 1])
        else:
            replaced = []
            new = _new(turn.asked) if nth else turn.asked
            messages += [LoggedMessage(role=message.role, text=message.text) for message in new[:-1]]
            messages.append(LoggedMessage(role=new[-1].role, text=new[-1].text, at=turn.at))
        messages.append(_reply(turn, replaced))
    user_id = next((turn.user_id for turn in turns if turn.user_id), None)
    return LoggedConversation(messages, conversation_id=session, user_id=user_id)


def _new(asked: Sequence[Said]) -> Sequence[Said]:
    """Of an input, what was said since the reply before the last message of the user, calls of tools included."""
    users = [index for index, message in enumerate(asked) if message.role == "user"] or [0]
    replies = [index for index, message in enumerate(asked[: users[-1]]) if message.role == "assistant"]
    new = [message for message in asked[replies[-1] + 1 if replies else 0 :] if message.role != "system"]
    return new or asked[-1:]


def _reply(turn: Turn, replaced: Sequence[Turn]) -> LoggedMessage:
    """A reply with those it replaced; without `preferences` where nobody rated both it and another: asked again."""
    compared = [preference(turn.rating, other.rating) for other in replaced]
    return LoggedMessage(
        role="assistant",
        text=turn.reply,
        rating=turn.rating,
        reaction=turn.reaction,
        edited_text=turn.edited_text,
        alternatives=[other.reply for other in replaced] or None,
        preferences=None if compared.count(None) == len(compared) else compared,
        model=turn.model,
        extras=turn.extras,
    )


def preference(own: float | None, other: float | None) -> float | None:
    """1 where a reply was rated above the other, -1 below, 0 as high; null unless both were rated."""
    if own is None or other is None:
        return None
    return float((own > other) - (own < other))


def verdict(value: Any) -> tuple[float | None, str | None]:
    """A person's feedback as rating and reaction: true 1, false -1, a number itself; a text is a reaction."""
    if isinstance(value, bool):
        return (1.0 if value else -1.0), None
    if isinstance(value, int | float):
        return float(value), None
    return None, value if isinstance(value, str) and value else None
