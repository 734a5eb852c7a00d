"""People who asked to be forgotten: a list of hashes, so that the list itself names nobody."""

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl

from turnabout.errors import DataError

#: The list, at the project's root: one SHA-256 (lower-case hex) of a `user_key` a line; `#` begins a comment.
FORGOTTEN = Path("forgotten.txt")


def fingerprint(user_key: str) -> str:
    """The SHA-256 by which the list knows a person, as 64 lower-case hex digits."""
    return hashlib.sha256(user_key.encode()).hexdigest()


def forgotten_people(path: Path) -> frozenset[str]:
    """The fingerprints in the list; none where there is no list. Raises `DataError` for any other line."""
    if not path.exists():
        return frozenset()
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, start=1):
        if line and not re.fullmatch("[0-9a-f]{64}", line):
            raise DataError(
                f"{path}:{number}: '{line[:80]}' is no SHA-256 of a user_key; add people with `turnabout forget USER`, "
                "which writes it"
            )
    return frozenset(line for line in lines if line)


def is_forgotten(user_keys: pl.Series, people: Collection[str]) -> pl.Series:
    """Whether each writer is one of these people; nobody, a model's null, is not."""
    writers = user_keys.drop_nulls().unique().to_list() if people else []
    return user_keys.is_in([writer for writer in writers if fingerprint(writer) in people]).fill_null(False)


def extended(text: str, user_keys: Iterable[str]) -> str:
    """The list's text with these people at its end, each once."""
    known = {line.partition("#")[0].strip() for line in text.splitlines()}
    new = [mark for mark in dict.fromkeys(map(fingerprint, user_keys)) if mark not in known]
    return "".join(f"{line}\n" for line in [*text.splitlines(), *new])
