"""Tests of the answer stores."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from turnabout.generation.base import Completion
from turnabout.generation.budget import Usage
from turnabout.generation.store import AnswerStore, CallStore, StoredAnswer, drop_unused


def test_unused_answers_are_deleted_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    remaining = sqlite3.connect(path).execute("select answers from batches order by used_at").fetchall()
    assert [answer[0] for answer in remaining] == [
        '[["new too", false, false, null]]',
        '[["kept", false, false, null]]',
    ]


def test_unused_calls_are_deleted_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.sqlite"
    store = CallStore(path)
    for when, (key, answer) in enumerate([("a", "canary"), ("b", "kept"), ("c", "new too")]):
        monkeypatch.setattr("time.time", lambda when=when: float(when))
        store.put(key, StoredAnswer([answer], Usage(1, 2, 3)))
    monkeypatch.setattr("time.time", lambda: 5.0)
    assert store.get(["b", "unknown"]) == {"b": StoredAnswer(["kept"], Usage(1, 2, 3))}
    store.db.close()
    assert drop_unused(path, since=2.0) == 1
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert set(CallStore(path).get(["a", "b", "c"])) == {"b", "c"}


def test_first_answer_to_a_call_stays(tmp_path: Path) -> None:
    one, other = CallStore(tmp_path / "answers.sqlite"), CallStore(tmp_path / "answers.sqlite")
    assert one.put("a", StoredAnswer("first", Usage(1, 2, 3))) == StoredAnswer("first", Usage(1, 2, 3))
    assert other.put("a", StoredAnswer("second", Usage(1, 9, 9))) == StoredAnswer("first", Usage(1, 2, 3))


def test_get_finds_more_keys_than_one_statement_allows(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "answers.sqlite")
    store.put("k1200", StoredAnswer("x", Usage(1, 1, 1)))
    assert list(store.get([f"k{i}" for i in range(1500)])) == ["k1200"]


def test_several_processes_write_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    script = (
        "import sys; from pathlib import Path; from turnabout.generation.budget import Usage;"
        "from turnabout.generation.store import CallStore, StoredAnswer; store = CallStore(Path(sys.argv[1]));"
        "[store.put(f'{sys.argv[2]} {i}', StoredAnswer(i, Usage(1, 1, 1))) for i in range(100)];"
        "store.put('shared', StoredAnswer(sys.argv[2], Usage(1, 1, 1)))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(path), str(number)]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert len(CallStore(path).get([f"{number} {i}" for number in range(4) for i in range(100)])) == 400
    assert CallStore(path).get(["shared"])["shared"].answer in {"0", "1", "2", "3"}


def test_drop_unused_ignores_a_missing_store(tmp_path: Path) -> None:
    assert drop_unused(tmp_path / "answers.sqlite", since=2.0) == 0
    assert list(tmp_path.iterdir()) == []


def test_first_answers_to_a_batch_stay(tmp_path: Path) -> None:
    ours, theirs = (AnswerStore(tmp_path / "a.sqlite", "m") for _ in range(2))
    assert ours.put(["?"], [Completion("first")]) == [Completion("first")]
    assert theirs.put(["?"], [Completion("second")]) == [Completion("first")] == ours.get(["?"])
