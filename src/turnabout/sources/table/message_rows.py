"""Rows of one message each, of a database or a file, as conversations."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal

from turnabout.core.config import Section
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, parse_time
from turnabout.sources.table.feedback_keys import read_feedback_keys
from turnabout.sources.traffic.payloads import ROLES
from turnabout.sources.traffic.turns import parse_feedback

#: A role of the table of messages.
Role = Literal["system", "user", "assistant", "tool"]

#: Names of roles that databases use besides those of chat APIs, in lower case.
USUAL_ROLES = ROLES | {"bot": "assistant", "agent": "assistant", "customer": "user", "client": "user"}

#: Order of the roles among messages of the same time.
ROLE_ORDER = ("system", "user", "tool", "assistant")


class Columns(Section):
    """The column that holds each field.

    By default it is the column of the field's name, where that exists.
    """

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


def select_order_columns(column_of: Mapping[str, str]) -> list[str]:
    """Return the columns that order the messages of a conversation.

    They are the index where it exists; else the time, then role and text, which make the order certain.
    """
    if "message_index" in column_of:
        return [column_of["message_index"]]
    return [column_of[field] for field in ("at", "role", "text")]


def map_fields(row: Mapping[Any, Any], column_of: Mapping[str, str]) -> dict[str, Any]:
    """Return one row by field name instead of column name.

    A field without a column is null; what other columns hold stands under `extras`.
    """
    extras = {name: value for name, value in row.items() if name not in column_of.values() and value is not None}
    fields = {field: row[column_of[field]] if field in column_of else None for field in Columns.model_fields}
    return fields | {"extras": extras}


def build_conversation(key: str, rows: list[dict[str, Any]], role_of: Mapping[str, str]) -> LoggedConversation:
    """Return the conversation that the rows make.

    Raises `ValueError` naming the field that cannot be read.
    """
    if any(row["role"] is None for row in rows):
        raise ValueError("role: null")
    users = [str(row["user_id"]) for row in rows if row["user_id"] is not None]
    languages = [str(row["language"]) for row in rows if row["language"]]
    conversation = LoggedConversation(
        [_build_message(row, role) for row, role in _order_rows(rows, role_of)],
        conversation_id=key,
        user_id=users[0] if users else None,
        language=languages[0] if languages else None,
    )
    return read_feedback_keys(conversation)


def _order_rows(rows: list[dict[str, Any]], role_of: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the rows with their roles, in order.

    Rows of the same index and time follow `ROLE_ORDER`.
    """
    for _, group in groupby(rows, key=lambda row: (row["message_index"], row["at"])):
        with_roles = [(row, role_of[normalize_role(row["role"])]) for row in group]
        yield from sorted(with_roles, key=lambda pair: ROLE_ORDER.index(pair[1]))


def _build_message(row: dict[str, Any], role: str) -> LoggedMessage:
    return LoggedMessage(
        role=role,
        text=_parse_text(row, "text") or "",
        at=_parse_time(row["at"]),
        rating=_parse_rating(row["rating"]),
        reaction=_parse_text(row, "reaction"),
        edited_text=_parse_text(row, "edited_text"),
        alternatives=_parse_texts(row["alternatives"]),
        model=_parse_text(row, "model"),
        user_key=str(row["user_id"]) if role == "user" and row["user_id"] is not None else None,
        extras=row["extras"],
    )


def normalize_role(name: Any) -> str:
    """Return the name of a role in lower case, without surrounding blanks."""
    return str(name).strip().lower()


def _parse_text(row: Mapping[str, Any], field: str) -> str | None:
    """Return a text, or a number or key as it is written."""
    if isinstance(row[field], bytes | memoryview):
        raise ValueError(f"{field}: expected text, got bytes")
    return None if row[field] is None else str(row[field])


def _parse_time(value: Any) -> datetime | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    return None if value is None else parse_time(float(value) if isinstance(value, Decimal) else value, "at")


def _parse_rating(value: Any) -> float | None:
    if isinstance(value, str | Decimal):
        try:
            value = float(value)
        except ValueError as error:
            raise ValueError("rating: expected a number") from error
    return parse_feedback(value)[0]


def _parse_texts(value: Any) -> list[str] | None:
    try:
        texts = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        texts = value
    if texts is not None and not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise ValueError("alternatives: expected a list of texts")
    return texts
