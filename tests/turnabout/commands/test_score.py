"""`turnabout score`: files of pairs and scores, with a tiny random model."""

import json
from pathlib import Path
from typing import Any

import pytest

from turnabout.cli import main


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with three pairs in the working directory."""
    monkeypatch.chdir(tmp_path)
    prompt = [{"role": "user", "content": "When do you open?"}]
    rows = [{"id": i, "prompt": prompt, "a": "At nine." * i, "b": "We sell bread."} for i in (1, 2, 3)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def score(pairs: Path, *options: str) -> list[dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        main(["score", str(pairs), "--out", "scores.jsonl", *options])
    assert ended.value.code == 0
    return [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]


def fail(pairs: Path, *options: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["score", str(pairs), *options])
    return str(ended.value.code)


def test_scorer_length_needs_no_model(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = score(pairs, "--by", "length")
    assert [row["prefer"] for row in rows] == ["b", "a", "a"]
    assert rows[0] == {"id": 1, "score_a": 8, "score_b": 14, "prefer": "b"}
    assert capsys.readouterr().out == "scores.jsonl: 3 pairs by length; a 2, b 1, neither 0\n"


@pytest.mark.parametrize("by", ["likelihood", "follow_up_calibrated", "judge"])
def test_second_run_with_a_model_folder_gives_the_same_bytes(pairs: Path, tiny_checkpoint: Path, by: str) -> None:
    rows = score(pairs, "--by", by, "--model", str(tiny_checkpoint), "--max-prompt-tokens", "100")
    once = Path("scores.jsonl").read_bytes()
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert all(row["score_a"] != row["score_b"] for row in rows)
    score(pairs, "--by", by, "--model", str(tiny_checkpoint), "--max-prompt-tokens", "100")
    assert Path("scores.jsonl").read_bytes() == once
    assert sorted(path.name for path in Path().iterdir()) == ["pairs.jsonl", "scores.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--by", "size", "--out", "s"], "--by: 'size' is not one of ['checklist', 'follow_up'"),
        (["--by", "length", "--out", "pairs.jsonl"], "--out: pairs.jsonl is the file of pairs"),
        (["--by", "length", "--out", "."], "--out: . is a folder"),
        (["--by", "judge", "--out", "s", "--batch-size", "0"], "batch_size: 0 is not allowed; give 1 or more"),
        (["--by", "judge", "--out", "s", "--model", "x", "--generator", "y"], "give one of them"),
        (["--by", "judge", "--out", "s", "--generator", "none.yaml"], "none.yaml: cannot be read"),
        (["--by", "checklist", "--out", "s"], "pairs.jsonl:1: needs the field `checklist`"),
    ],
)
def test_mistake_is_reported_and_leaves_nothing_behind(pairs: Path, options: list[str], message: str) -> None:
    assert message in fail(pairs, *options)
    assert list(Path().iterdir()) == [Path("pairs.jsonl")]


@pytest.mark.parametrize(
    ("by", "generator", "message"),
    [
        ("judge", "{backend: local}", "backend: 'local' is not one of ['openai'"),
        ("judge", "{backend: openai}", "generator.yaml: model: Field required"),
        ("judge", "[", "generator.yaml: not YAML"),
        ("likelihood", "{backend: openai, model: m}", "reads probabilities, which an endpoint does not give"),
    ],
)
def test_unusable_author_is_reported(pairs: Path, by: str, generator: str, message: str) -> None:
    Path("generator.yaml").write_text(generator)
    assert message in fail(pairs, "--by", by, "--generator", "generator.yaml", "--out", "s")
