"""Conversations as they were logged: what every source makes of a record."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

#: A greater number is Unix time in milliseconds: in seconds it would lie in the year 2603.
MAX_UNIX_SECONDS = 2e10


class LoggedMessage(NamedTuple):
    """One message.

    The fields are the columns of `schemas.MESSAGES`; `extras` holds what no column holds.
    """

    role: str
    text: str
    at: datetime | None = None
    rating: float | None = None
    reaction: str | None = None
    edited_text: str | None = None
    alternatives: Sequence[str] | None = None
    preferences: Sequence[float | None] | None = None
    flags: Sequence[str] | None = None
    model: str | None = None
    user_key: str | None = None
    """Who wrote the message; null where that is the conversation's `user_id` (role user) or no person."""
    extras: Mapping[str, Any] = {}


class LoggedConversation(NamedTuple):
    """One conversation.

    Without `conversation_id` its id is a hash of its content; without `user_id` it counts as the only conversation of
    an unknown person.
    """

    messages: Sequence[LoggedMessage]
    conversation_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    language: str | None = None
    extras: Mapping[str, Any] = {}
    """Kept under `conversation` in the extras of message 0."""
    location: str | None = None
    """The record that it was read from, for the quarantine."""
    unread_feedback: Sequence[str] = ()
    """Known names of feedback in it that no column takes (`feedback_keys.py`)."""


def hash_content(messages: Iterable[LoggedMessage]) -> str:
    """Return the id of a conversation that was logged without one.

    The id has 16 hexadecimal digits and depends on the roles and texts alone.
    """
    canonical = msgspec.json.encode([[message.role, message.text] for message in messages])
    return hashlib.sha256(canonical).hexdigest()[:16]


def to_utc(time: datetime) -> datetime:
    """Return the same instant in UTC.

    A time without a zone is taken as UTC. Raises `ValueError` outside the years 1 to 9999.
    """
    if time.tzinfo is UTC:
        return time
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("time: lies outside the years 1 to 9999 in UTC") from error


def parse_time(value: Any, field: str) -> datetime:
    """Return a time in UTC from Unix time or ISO 8601.

    Unix time is in seconds or milliseconds. Raises `ValueError` naming `field`.
    """
    try:
        if isinstance(value, datetime):
            return to_utc(value)
        if isinstance(value, str):
            return to_utc(datetime.fromisoformat(value))
        return datetime.fromtimestamp(value / 1000 if abs(value) > MAX_UNIX_SECONDS else value, UTC)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise ValueError(f"{field}: expected Unix time or ISO 8601, between the years 1 and 9999 in UTC") from error
