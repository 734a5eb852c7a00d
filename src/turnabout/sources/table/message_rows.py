"""Rows of one message each, of a database or a file, as conversations."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal

from turnabout.core.config import Section
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, instant
from turnabout.sources.traffic.payloads import ROLES
from turnabout.sources.traffic.turns import verdict

#: A role of the table of messages.
Role = Literal["system", "user", "assistant", "tool"]

#: Names of roles that databases use beside those of chat APIs, in lower case.
USUAL_ROLES = ROLES | {"bot": "assistant", "agent": "assistant", "customer": "user", "client": "user"}

#: Who speaks first of those who spoke at one instant.
TURNS = ("system", "user", "tool", "assistant")


class Columns(Section):
    """The column that holds each field; by default the one of the field's name, where there is one."""

    conversation_id: str = "conversation_id"
    role: str = "role"
    text: str = "text"
    message_index: str = "message_index"
    at: str = "at"
    user_id: str = "user_id"
    model: str = "model"
    language: str = "language"
    rating: str = "rating"
    reaction: str = "reaction"
    edited_text: str = "edited_text"
    alternatives: str = "alternatives"


def order(column_of: Mapping[str, str]) -> list[str]:
    """Columns that order the messages of a conversation: the index, else time and then what makes rows differ."""
    if "message_index" in column_of:
        return [column_of["message_index"]]
    return [column_of[field] for field in ("at", "role", "text")]


def fields_of(row: Mapping[Any, Any], column_of: Mapping[str, str]) -> dict[str, Any]:
    """One row by field, null where there is no column, and what other columns hold under `extras`."""
    further = {name: value for name, value in row.items() if name not in column_of.values() and value is not None}
    fields = {field: row[column_of[field]] if field in column_of else None for field in Columns.model_fields}
    return fields | {"extras": further}


def conversation(key: str, rows: list[dict[str, Any]], role_of: Mapping[str, str]) -> LoggedConversation:
    """The conversation of its rows. Raises `ValueError` naming the field that cannot be read."""
    if any(row["role"] is None for row in rows):
        raise ValueError("role: null")
    users = [str(row["user_id"]) for row in rows if row["user_id"] is not None]
    languages = [str(row["language"]) for row in rows if row["language"]]
    return LoggedConversation(
        [_message(row, role) for row, role in _in_turn(rows, role_of)],
        conversation_id=key,
        user_id=users[0] if users else None,
        language=languages[0] if languages else None,
    )


def _in_turn(rows: list[dict[str, Any]], role_of: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows with their roles; those of one instant, where only time orders them, in the order of `TURNS`."""
    for _, group in groupby(rows, key=lambda row: (row["message_index"], row["at"])):
        same = [(row, role_of[plain_role(row["role"])]) for row in group]
        yield from sorted(same, key=lambda pair: TURNS.index(pair[1]))


def _message(row: dict[str, Any], role: str) -> LoggedMessage:
    return LoggedMessage(
        role=role,
        text=_text(row, "text") or "",
        at=_instant(row["at"]),
        rating=_rating(row["rating"]),
        reaction=_text(row, "reaction"),
        edited_text=_text(row, "edited_text"),
        alternatives=_texts(row["alternatives"]),
        model=_text(row, "model"),
        user_key=str(row["user_id"]) if role == "user" and row["user_id"] is not None else None,
        extras=row["extras"],
    )


def plain_role(name: Any) -> str:
    """The name of a role without case and blanks."""
    return str(name).strip().lower()


def _text(row: Mapping[str, Any], field: str) -> str | None:
    """A text, or a number or key as it is written."""
    if isinstance(row[field], bytes | memoryview):
        raise ValueError(f"{field}: expected text, got bytes")
    return None if row[field] is None else str(row[field])


def _instant(value: Any) -> datetime | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    return None if value is None else instant(float(value) if isinstance(value, Decimal) else value, "at")


def _rating(value: Any) -> float | None:
    if isinstance(value, str | Decimal):
        try:
            value = float(value)
        except ValueError as error:
            raise ValueError("rating: expected a number") from error
    return verdict(value)[0]


def _texts(value: Any) -> list[str] | None:
    try:
        told = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        told = value
    if told is not None and not (isinstance(told, list) and all(isinstance(text, str) for text in told)):
        raise ValueError("alternatives: expected a list of texts")
    return told
