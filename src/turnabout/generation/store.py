"""Answer stores: SQLite files keyed by content.

With them a crash loses no generated or paid answer.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from turnabout.generation.base import Completion
from turnabout.generation.budget import Usage

#: The project's answer store, relative to its root.
ANSWERS_FILE = Path(".turnabout/answers.sqlite")

TABLES = """
create table if not exists batches (key text primary key, answers text not null, used_at real not null);
create table if not exists calls (
    key text primary key, answer text not null, read integer not null, written integer not null, used_at real not null
);
"""

#: Maximum number of keys in one statement; SQLite limits the number of variables.
MAX_KEYS = 500


class AnswerStore:
    """Completions of whole batches, keyed by everything that decides them.

    The key is a hash of model, prompts and sampling. A batch is the unit because the numbers inside a model depend on
    what is padded together: an answer drawn in another batch would not be the same bytes. Independent of DVC; several
    processes may share the file (WAL mode).
    """

    def __init__(self, path: Path, model: str) -> None:
        self.model = model
        self.db = _open_database(path)

    def get(self, request: Any) -> list[Completion] | None:
        """Return the stored answers to a batch request, or None."""
        rows = self.db.execute(
            "update batches set used_at = ? where key = ? returning answers", [time.time(), self._hash(request)]
        )
        row = rows.fetchone()
        return None if row is None else [Completion(*answer) for answer in json.loads(row[0])]

    def put(self, request: Any, answers: Sequence[Completion]) -> list[Completion]:
        """Store the answers to a batch request and return the stored ones.

        Where another process stored its answers first, those are returned.
        """
        row = [self._hash(request), json.dumps(answers), time.time()]
        stored = self.db.execute(
            "insert into batches values (?, ?, ?) on conflict do update set used_at = excluded.used_at "
            "returning answers",
            row,
        )
        return [Completion(*answer) for answer in json.loads(stored.fetchone()[0])]

    def _hash(self, request: Any) -> str:
        return hash_request([self.model, request])


class StoredAnswer(NamedTuple):
    """The answer of one call (any JSON value) and what the call was charged for."""

    answer: Any
    usage: Usage


class CallStore:
    """Single answers of endpoints, keyed by address and request.

    The key is a hash; the API key is not part of it. The first answer to a call stays: a process that sent the same
    call at the same time gets that answer back. Independent of DVC; several processes may share the file (WAL mode).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = _open_database(path)

    def get(self, keys: Sequence[str]) -> dict[str, StoredAnswer]:
        """Return the stored answers of those keys that have one."""
        answers: dict[str, StoredAnswer] = {}
        for start in range(0, len(keys), MAX_KEYS):
            answers.update(self._select(keys[start : start + MAX_KEYS]))
        return answers

    def put(self, key: str, answer: StoredAnswer) -> StoredAnswer:
        """Store an answer and return the one stored under the key.

        That may be an earlier one.
        """
        usage = answer.usage
        row = [key, json.dumps(answer.answer), usage.input_tokens, usage.output_tokens, time.time()]
        stored = self.db.execute(
            "insert into calls values (?, ?, ?, ?, ?) on conflict do update set used_at = excluded.used_at "
            "returning key, answer, read, written",
            row,
        )
        return _decode_row(*stored.fetchone())[1]

    def _select(self, keys: Sequence[str]) -> Iterator[tuple[str, StoredAnswer]]:
        marks = ", ".join("?" * len(keys))
        rows = self.db.execute(
            f"update calls set used_at = ? where key in ({marks}) returning key, answer, read, written",
            [time.time(), *keys],
        )
        yield from (_decode_row(*row) for row in rows.fetchall())


def _decode_row(key: str, answer: str, input_tokens: int, output_tokens: int) -> tuple[str, StoredAnswer]:
    return key, StoredAnswer(json.loads(answer), Usage(1, input_tokens, output_tokens))


def hash_request(request: Sequence[Any] | Mapping[str, Any]) -> str:
    """Return the SHA-256 of a request as JSON, in 64 hex digits."""
    return hashlib.sha256(json.dumps(request, ensure_ascii=False).encode(errors="surrogatepass")).hexdigest()


def drop_unused(path: Path, since: float) -> int:
    """Delete the answers not used since a time and return their number.

    The number of batches and calls is returned. `since` is in seconds since 1970. The deleted bytes are overwritten on
    disk.
    """
    if not path.exists():
        return 0
    db = _open_database(path)
    n_dropped = sum(
        db.execute(f"delete from {table} where used_at < ?", [since]).rowcount for table in ("batches", "calls")
    )
    db.execute("vacuum")
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    return n_dropped


def _open_database(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two threads never use it at the same time: the thread that opened it waits for the one that fetches (`calls`).
    db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma secure_delete=on")  # an answer may repeat what a person wrote
    db.executescript(TABLES)
    return db
