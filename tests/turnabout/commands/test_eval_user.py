"""`turnabout eval-user` on tiny models: a user model, an actor, two side by side, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.cli import main
from turnabout.core import schemas
from turnabout.models.checkpoints import load_checkpoint
from turnabout.training.user_model.train import save_user, add_end_token

SPLITS = [*["test"] * 3, *["validation"] * 2, *["train"] * 8]


@pytest.fixture
def place(tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with samples, an assistant `tiny`, a user model `user`, and small standard settings."""
    from turnabout.operations import evaluate_user

    small = evaluate_user.DEFAULT_SETTINGS.model_copy(update={"max_length": 200, "max_new_tokens": 4, "resamples": 20})
    monkeypatch.setattr(evaluate_user, "DEFAULT_SETTINGS", small)
    monkeypatch.setattr(evaluate_user, "DTYPE", "float32")
    monkeypatch.chdir(tmp_path)
    talk = [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(4)]
    row: dict[str, Any] = {"messages": talk, "target_indexes": [0, 2], "ends": True, "intent": "You are a user. Ask."}
    rows = [{"conversation_id": f"c{i}", "user_key": f"u{i}", "split": split, **row} for i, split in enumerate(SPLITS)]
    pl.DataFrame(rows, schema=schemas.USER_SAMPLES).write_parquet("samples.parquet")
    Path("tiny").symlink_to(tiny_checkpoint)
    save_user(add_end_token(load_checkpoint(tiny_checkpoint, "float32")), Path("user"))
    return tmp_path


def run(model: str, *more: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["eval-user", model, "--samples", "samples.parquet", "--assistant", "tiny", *more])
    if ended.value.code != 0:
        raise AssertionError(ended.value.code)


def test_a_user_model_and_an_actor_side_by_side(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    run("tiny", "--n", "8", "--out", "tiny.json")
    told = json.loads(Path("tiny.json").read_text())
    assert list(told["termination"]) == ["tiny"]
    assert told["role_adherence"]["tiny"]["n"] == 8
    assert told["naturalness"]["detector"]["n"] == 16
    assert "bits_per_character_saved" not in told
    capsys.readouterr()
    run("user", "--n", "8", "--out", "user.json", "--beside", "tiny.json")
    shown = capsys.readouterr().out
    assert "3 conversations of 3 people" in shown
    for word in ("user", "tiny", "people", "perplexity, told the intent", "intent adherence, %"):
        assert word in shown
    # A random model reads the same words with another instruction: close, but not the same figure.
    user = json.loads(Path("user.json").read_text())
    assert user["perplexity"]["user"]["with_intent"]["n"] == told["perplexity"]["tiny"]["with_intent"]["n"] == 6
    assert user["naturalness"]["detector"] == told["naturalness"]["detector"]
    assert user["naturalness"]["human"] == told["naturalness"]["human"]


def test_naturalness_by_another_detector_is_refused_after_the_figures_are_written(place: Path) -> None:
    run("tiny", "--n", "8", "--out", "tiny.json")
    other = json.loads(Path("tiny.json").read_text())
    other["naturalness"]["detector"]["fingerprint"] = "another"
    Path("other.json").write_text(json.dumps(other))
    with pytest.raises(AssertionError, match="DataError: naturalness by detector another cannot be compared"):
        run("tiny", "--n", "8", "--out", "again.json", "--beside", "other.json")
    assert Path("again.json").read_text() == Path("tiny.json").read_text()  # the same figures, byte by byte


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("tiny", ["--n", "0"], "--n: 0 is not allowed"),
        ("tiny", ["--beside", "samples.parquet"], "samples.parquet cannot be read as JSON"),
        ("tiny", ["--beside", "nothing.json"], "nothing.json cannot be read as JSON"),
        ("tiny", ["--assistant", "user"], "user is a user model; name an assistant"),
        ("models/absent", [], "ModelError: models/absent"),
        ("tiny", ["--samples", "absent.parquet"], "absent.parquet: no such table"),
    ],
)
def test_mistakes_are_told_without_a_traceback(place: Path, model: str, more: list[str], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        run(model, *more)
