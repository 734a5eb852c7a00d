"""Answers kept on arrival: a SQLite file keyed by content, so that a crash costs nothing already generated or paid."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from turnabout.generation.base import Completion
from turnabout.generation.budget import Usage

TABLES = """
create table if not exists batches (key text primary key, answers text not null, used_at real not null);
create table if not exists calls (
    key text primary key, answer text not null, read integer not null, written integer not null, used_at real not null
);
"""

#: Keys looked up by one statement; SQLite takes a limited number of variables.
KEYS_AT_ONCE = 500


class AnswerStore:
    """Completions of whole batches under a hash of everything that decides them (model, prompts, sampling).

    A batch is the unit because the numbers inside a model depend on what is padded together: an answer drawn in
    another batch would not be the same bytes. Independent of DVC; several processes may share the file (WAL mode).
    """

    def __init__(self, path: Path, model: str) -> None:
        self.model = model
        self.db = _opened(path)

    def get(self, request: Any) -> list[Completion] | None:
        """The stored answers to a batch request, or None."""
        found = self.db.execute(
            "update batches set used_at = ? where key = ? returning answers", [time.time(), self._key(request)]
        )
        row = found.fetchone()
        return None if row is None else [Completion(*answer) for answer in json.loads(row[0])]

    def put(self, request: Any, answers: Sequence[Completion]) -> list[Completion]:
        """Keep the answers to a batch request; what is stored from now on, which may be another process's."""
        row = [self._key(request), json.dumps(answers), time.time()]
        stored = self.db.execute(
            "insert into batches values (?, ?, ?) on conflict do update set used_at = excluded.used_at "
            "returning answers",
            row,
        )
        return [Completion(*answer) for answer in json.loads(stored.fetchone()[0])]

    def _key(self, request: Any) -> str:
        return hash_of([self.model, request])


class Kept(NamedTuple):
    """The answer of one call (anything JSON can hold) and what it was charged for."""

    answer: Any
    usage: Usage


class CallStore:
    """Single answers of endpoints under a hash of the address and of all that was sent, but for the key.

    The first answer to a call stays: a process that asked the same at the same time gets that one back. Independent of
    DVC; several processes may share the file (WAL mode).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = _opened(path)

    def get(self, keys: Sequence[str]) -> dict[str, Kept]:
        """What is stored under these keys."""
        starts = range(0, len(keys), KEYS_AT_ONCE)
        return dict(pair for start in starts for pair in self._found(keys[start : start + KEYS_AT_ONCE]))

    def put(self, key: str, kept: Kept) -> Kept:
        """Keep an answer; what is stored under the key from now on, which may be an earlier one."""
        row = [key, json.dumps(kept.answer), kept.usage.read, kept.usage.written, time.time()]
        stored = self.db.execute(
            "insert into calls values (?, ?, ?, ?, ?) on conflict do update set used_at = excluded.used_at "
            "returning key, answer, read, written",
            row,
        )
        return _kept(*stored.fetchone())[1]

    def _found(self, keys: Sequence[str]) -> Iterator[tuple[str, Kept]]:
        marks = ", ".join("?" * len(keys))
        found = self.db.execute(
            f"update calls set used_at = ? where key in ({marks}) returning key, answer, read, written",
            [time.time(), *keys],
        )
        yield from (_kept(*row) for row in found.fetchall())


def _kept(key: str, answer: str, read: int, written: int) -> tuple[str, Kept]:
    return key, Kept(json.loads(answer), Usage(1, read, written))


def hash_of(request: Sequence[Any] | Mapping[str, Any]) -> str:
    """The SHA-256 of a request as JSON, as 64 hex digits."""
    return hashlib.sha256(json.dumps(request, ensure_ascii=False).encode(errors="surrogatepass")).hexdigest()


def drop_unused(path: Path, since: float) -> int:
    """Delete what nobody asked for since that time (seconds since 1970) for good; how many batches and calls it was."""
    if not path.exists():
        return 0
    db = _opened(path)
    n_dropped = sum(
        db.execute(f"delete from {table} where used_at < ?", [since]).rowcount for table in ("batches", "calls")
    )
    db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    return n_dropped


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never used by two threads at once: the one that opened it waits for the one that fetches (`calls`).
    db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma secure_delete=on")  # an answer may repeat what a person wrote
    db.executescript(TABLES)
    return db
