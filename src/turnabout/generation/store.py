"""Answers kept on arrival: a SQLite file keyed by content, so that a crash costs nothing already generated."""

import hashlib
import json
import sqlite3
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
        self.db.execute("create table if not exists batches (key text primary key, answers text not null)")

    def get(self, request: Any) -> list[Completion] | None:
        """The stored answers to a batch request, or None."""
        row = self.db.execute("select answers from batches where key = ?", [self._key(request)]).fetchone()
        return None if row is None else [Completion(*answer) for answer in json.loads(row[0])]

    def put(self, request: Any, answers: Sequence[Completion]) -> None:
        """Keep the answers to a batch request."""
        self.db.execute("insert or replace into batches values (?, ?)", [self._key(request), json.dumps(answers)])

    def _key(self, request: Any) -> str:
        return hashlib.sha256(json.dumps([self.model, request], ensure_ascii=False).encode()).hexdigest()
