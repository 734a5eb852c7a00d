"""Tests of `turnabout eval-user` with tiny models."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.cli import main
from turnabout.core import schemas
from turnabout.models.checkpoints import load_checkpoint
from turnabout.training.user_model.train import add_end_token, save_user

SPLITS = [*["test"] * 3, *["validation"] * 2, *["train"] * 8]


@pytest.fixture
def folder(tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with samples, models and small settings.

    The models are an assistant `tiny` and a user model `user`.
    """
    from turnabout.operations import evaluate_user

    small = evaluate_user.DEFAULT_SETTINGS.model_copy(update={"max_length": 200, "max_new_tokens": 4, "resamples": 20})
    monkeypatch.setattr(evaluate_user, "DEFAULT_SETTINGS", small)
    monkeypatch.setattr(evaluate_user, "DTYPE", "float32")
    monkeypatch.chdir(tmp_path)
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(4)]
    row: dict[str, Any] = {
        "messages": messages,
        "target_indexes": [0, 2],
        "ends": True,
        "intent": "You are a user. Ask.",
    }
    rows = [{"conversation_id": f"c{i}", "user_key": f"u{i}", "split": split, **row} for i, split in enumerate(SPLITS)]
    pl.DataFrame(rows, schema=schemas.USER_SAMPLES).write_parquet("samples.parquet")
    Path("tiny").symlink_to(tiny_checkpoint)
    save_user(add_end_token(load_checkpoint(tiny_checkpoint, "float32")), Path("user"))
    return tmp_path


def run_eval(model: str, *more: str) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["eval-user", model, "--samples", "samples.parquet", "--assistant", "tiny", *more])
    if exit_info.value.code != 0:
        raise AssertionError(exit_info.value.code)


def test_table_shows_a_user_model_and_a_prompted_assistant(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    run_eval("tiny", "--n", "8", "--out", "tiny.json")
    figures = json.loads(Path("tiny.json").read_text())
    assert list(figures["termination"]) == ["tiny"]
    assert figures["role_adherence"]["tiny"]["n"] == 8
    assert figures["naturalness"]["detector"]["n"] == 16
    assert "bits_per_character_saved" not in figures
    capsys.readouterr()
    run_eval("user", "--n", "8", "--out", "user.json", "--beside", "tiny.json")
    shown = capsys.readouterr().out
    assert "3 conversations of 3 people" in shown
    for text in ("user", "tiny", "people", "perplexity, with the intent", "intent adherence, %"):
        assert text in shown
    # A random model reads the same messages with another instruction: close, but not the same figure.
    user = json.loads(Path("user.json").read_text())
    assert user["perplexity"]["user"]["with_intent"]["n"] == figures["perplexity"]["tiny"]["with_intent"]["n"] == 6
    assert user["naturalness"]["detector"] == figures["naturalness"]["detector"]
    assert user["naturalness"]["human"] == figures["naturalness"]["human"]


def test_naturalness_by_another_detector_is_refused_after_writing(folder: Path) -> None:
    run_eval("tiny", "--n", "8", "--out", "tiny.json")
    other = json.loads(Path("tiny.json").read_text())
    other["naturalness"]["detector"]["fingerprint"] = "another"
    Path("other.json").write_text(json.dumps(other))
    with pytest.raises(AssertionError, match="DataError: naturalness by detector another cannot be compared"):
        run_eval("tiny", "--n", "8", "--out", "again.json", "--beside", "other.json")
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
def test_mistakes_are_reported_without_a_traceback(folder: Path, model: str, more: list[str], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        run_eval(model, *more)
