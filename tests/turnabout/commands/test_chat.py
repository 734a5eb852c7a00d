"""Tests of `turnabout chat` with a tiny model and typed input."""

import io
from pathlib import Path

import pytest

from turnabout.cli import main
from turnabout.models import checkpoints
from turnabout.training.user_model.train import add_end_token, save_user


def run_chat(monkeypatch: pytest.MonkeyPatch, typed: str, *arguments: str) -> object:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr("turnabout.serving.user_player.MAX_TOKENS", 8)
    with pytest.raises(SystemExit) as exit_info:
        main(["chat", *arguments])
    return exit_info.value.code


def test_chat_with_a_user_model_makes_you_the_assistant(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_user(add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32")), tmp_path / "user")
    assert run_chat(monkeypatch, "hello\n", "--user", str(tmp_path / "user"), "--intent", "trains") == 0
    output = capsys.readouterr().out
    assert "intent: trains" in output
    assert output.count("assistant (you): ") == 2
    assert output.count("user: ") >= 1


def test_chat_with_an_assistant_makes_you_the_user(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_chat(monkeypatch, "hello\n/quit\n", "--assistant", str(tiny_checkpoint)) == 0
    output = capsys.readouterr().out
    assert "assistant: " in output
    assert "You are the assistant" not in output


def test_chat_refuses_an_intent_for_an_assistant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "with --assistant the user is you" in str(run_chat(monkeypatch, "", "--assistant", "x", "--intent", "y"))
