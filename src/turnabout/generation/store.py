"""Answers kept on arrival: a SQLite file keyed by content, so that a crash costs nothing already generated."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnabout.generation.base import Completion


class AnswerStore:
    """Completions of whole batches under a hash of everything that decides them (model, prompts, sampling).

    A batch is the unit because the numbers inside a model depend on what is padded together: an answer drawn in
    another batch would not be the same bytes. Independent of DVC; several processes may share the file (WAL mode).
    """

    def __init__(self, path: Path, model: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.model = model
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.db.execute("pragma journal_mode=wal")
        self.db.execute("pragma secure_delete=on")  # an answer may repeat what a person wrote
        self.db.execute(
            "create table if not exists batches (key text primary key, answers text not null, used_at real not null)"
        )

    def get(self, request: Any) -> list[Completion] | None:
        """The stored answers to a batch request, or None."""
        found = self.db.execute(
            "update batches set used_at = ? where key = ? returning answers", [time.time(), self._key(request)]
        )
        row = found.fetchone()
        return None if row is None else [Completion(*answer) for answer in json.loads(row[0])]

    def put(self, request: Any, answers: Sequence[Completion]) -> None:
        """Keep the answers to a batch request."""
        row = [self._key(request), json.dumps(answers), time.time()]
        self.db.execute("insert or replace into batches values (?, ?, ?)", row)

    def _key(self, request: Any) -> str:
        return hashlib.sha256(json.dumps([self.model, request], ensure_ascii=False).encode()).hexdigest()


def drop_unused(path: Path, since: float) -> int:
    """Delete the batches that nobody asked for since that time (seconds since 1970) for good; how many they were."""
    if not path.exists():
        return 0
    store = AnswerStore(path, "")
    n_dropped = store.db.execute("delete from batches where used_at < ?", [since]).rowcount
    store.db.execute("vacuum")
    store.db.execute("pragma wal_checkpoint(truncate)")
    store.db.close()
    return n_dropped
