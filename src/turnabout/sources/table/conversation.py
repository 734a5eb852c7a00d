"""What every source makes of a record: a conversation as it was logged."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

#: A number above this is no Unix time in seconds (it would be the year 2603) but one in milliseconds.
MOST_SECONDS = 2e10


class LoggedMessage(NamedTuple):
    """One message. Fields as the columns of `schemas.MESSAGES`; `extras` is what no column holds."""

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
    """Who wrote it, where that is not the conversation's `user_id` in the role of the user."""
    extras: Mapping[str, Any] = {}


class LoggedConversation(NamedTuple):
    """One conversation. Without `conversation_id` its content is its name; without `user_id` it is a stranger's."""

    messages: Sequence[LoggedMessage]
    conversation_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    language: str | None = None
    extras: Mapping[str, Any] = {}
    """Kept under `conversation` in the extras of message 0."""
    where: str | None = None
    """The record it was read from, for the quarantine."""


def content_id(messages: Iterable[LoggedMessage]) -> str:
    """The id of a conversation that was logged without one: 16 hex digits, the same for the same roles and texts."""
    canonical = msgspec.json.encode([[message.role, message.text] for message in messages])
    return hashlib.sha256(canonical).hexdigest()[:16]


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC; a time without a zone is taken as UTC. `ValueError` out of the years 1 to 9999."""
    if at.tzinfo is UTC:
        return at
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("time: lies outside the years 1 to 9999 in UTC") from error


def instant(value: Any, field: str) -> datetime:
    """A time in UTC from Unix time, in seconds or milliseconds, or ISO 8601. Raises `ValueError` naming the field."""
    try:
        if isinstance(value, datetime):
            return in_utc(value)
        if isinstance(value, str):
            return in_utc(datetime.fromisoformat(value))
        return datetime.fromtimestamp(value / 1000 if abs(value) > MOST_SECONDS else value, UTC)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise ValueError(f"{field}: expected Unix time or ISO 8601, between the years 1 and 9999 in UTC") from error
