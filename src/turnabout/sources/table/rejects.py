"""Rejected records and the reasons for their rejection."""

import re
from typing import Any, NamedTuple

import msgspec

from turnabout.sources.reading.records import Record


class Reject(NamedTuple):
    """One record that could not be read: a row of `schemas.QUARANTINE`."""

    source: str
    record: str
    reason: str
    excerpt: str
    content: Any = msgspec.UNSET
    """The record itself where it may be a record of another format; unset where the format is certain."""


def build_reject(source: str, record: Record, reason: str, *, may_be_other_format: bool = False) -> Reject:
    """Return the reject of one record.

    `may_be_other_format` keeps its content, from which a hint at the right format is made.
    """
    excerpt = record.excerpt or ("" if record.content is None else str(record.content)[:200])
    return Reject(
        source=source,
        record=_replace_surrogates(record.location),
        reason=reason,
        excerpt=_replace_surrogates(excerpt),
        content=record.content if may_be_other_format else msgspec.UNSET,
    )


def describe_error(error: Exception) -> str:
    """Return why a record was rejected: the field, what was expected, what came.

    Indexes are left out, so that equal errors are counted together.
    """
    if not isinstance(error, msgspec.ValidationError):
        return str(error)
    message, _, path = str(error).partition(" - at `$")
    field = re.sub(r"\[[^]]*\]", "", path.rstrip("`")).lstrip(".")
    return f"{field or 'record'}: {message[0].lower()}{message[1:]}"


def _replace_surrogates(text: str) -> str:
    """Return the text with a question mark for each lone surrogate.

    No encoding can write a lone surrogate.
    """
    return text.encode("utf-8", "replace").decode()
