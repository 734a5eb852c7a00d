"""`turnabout chat` with a real (tiny) model and typed input."""

import io
from pathlib import Path

import pytest

from turnabout.cli import main
from turnabout.models import checkpoints
from turnabout.training.user_model.train import save_user, add_end_token


def chat(monkeypatch: pytest.MonkeyPatch, typed: str, *arguments: str) -> object:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr("turnabout.serving.user_player.MAX_TOKENS", 8)
    with pytest.raises(SystemExit) as ended:
        main(["chat", *arguments])
    return ended.value.code


def test_one_is_the_assistant_of_a_user_model(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_user(add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32")), tmp_path / "user")
    assert chat(monkeypatch, "hello\n", "--user", str(tmp_path / "user"), "--intent", "trains") == 0
    shown = capsys.readouterr().out
    assert "intent: trains" in shown
    assert shown.count("assistant (you): ") == 2
    assert shown.count("user: ") >= 1


def test_one_talks_to_an_assistant(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chat(monkeypatch, "hello\n/quit\n", "--assistant", str(tiny_checkpoint)) == 0
    shown = capsys.readouterr().out
    assert "assistant: " in shown
    assert "You are the assistant" not in shown


def test_an_intent_is_nothing_for_an_assistant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "with --assistant the user is you" in str(chat(monkeypatch, "", "--assistant", "x", "--intent", "y"))
