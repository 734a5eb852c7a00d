"""The list of people who asked to be forgotten, stored as hashes."""

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl

from turnabout.core.io import write_text
from turnabout.errors import DataError

#: The list in the project's root: one SHA-256 (lower-case hex) of a `user_key` per line; `#` starts a comment.
FORGOTTEN = Path("forgotten.txt")

#: Relative to the project's root: SHA-256 of the list for which older data was erased last.
SWEPT = Path(".turnabout/swept")


def hash_user_key(user_key: str) -> str:
    """Return the SHA-256 of a `user_key` as 64 lower-case hex digits."""
    return hashlib.sha256(user_key.encode()).hexdigest()


def read_forgotten_people(path: Path) -> frozenset[str]:
    """Read the hashes in the list; a missing file is an empty list.

    Raises `DataError` for a line that is no hash.
    """
    if not path.exists():
        return frozenset()
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, start=1):
        if line and not re.fullmatch("[0-9a-f]{64}", line):
            raise DataError(
                f"{path}:{number}: '{line[:80]}' is not the SHA-256 of a user_key; add people with "
                "`turnabout forget USER`, which writes this file"
            )
    return frozenset(line for line in lines if line)


def is_forgotten(user_keys: pl.Series, people: Collection[str]) -> pl.Series:
    """Return whether each writer is among `people`; null (a model) is not."""
    writers = user_keys.drop_nulls().unique().to_list() if people else []
    return user_keys.is_in([writer for writer in writers if hash_user_key(writer) in people]).fill_null(False)


def is_swept(root: Path, people: frozenset[str]) -> bool:
    """Return whether older data about all these people was erased already.

    True where there are none.
    """
    path = root / SWEPT
    return not people or (path.exists() and path.read_text(encoding="utf-8") == _hash_list(people))


def mark_swept(root: Path, people: frozenset[str]) -> None:
    """Record that older data about these people was erased."""
    write_text(_hash_list(people), root / SWEPT)


def _hash_list(people: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(people)).encode()).hexdigest()


def append_people(text: str, user_keys: Iterable[str]) -> str:
    """Return the list's text with the new people appended, each once."""
    known = {line.partition("#")[0].strip() for line in text.splitlines()}
    new = [mark for mark in dict.fromkeys(map(hash_user_key, user_keys)) if mark not in known]
    return "".join(f"{line}\n" for line in [*text.splitlines(), *new])
