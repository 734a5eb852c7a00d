import sqlite3
from pathlib import Path

import pytest

from turnabout.generation.base import Completion
from turnabout.generation.store import AnswerStore, drop_unused


def test_answers_nobody_asked_for_since_leave_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.sqlite"
    store = AnswerStore(path, "model")
    for when, (request, answer) in enumerate([("old", "canary"), ("asked again", "kept"), ("new", "new too")]):
        monkeypatch.setattr("time.time", lambda when=when: float(when))
        store.put([request], [Completion(answer)])
    monkeypatch.setattr("time.time", lambda: 5.0)
    assert store.get(["asked again"]) == [Completion("kept")]
    store.db.close()
    assert drop_unused(path, since=2.0) == 1
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    left = sqlite3.connect(path).execute("select answers from batches order by used_at").fetchall()
    assert [answer[0] for answer in left] == ['[["new too", false, false]]', '[["kept", false, false]]']


def test_without_a_store_nothing_is_dropped(tmp_path: Path) -> None:
    assert drop_unused(tmp_path / "answers.sqlite", since=2.0) == 0
    assert list(tmp_path.iterdir()) == []
