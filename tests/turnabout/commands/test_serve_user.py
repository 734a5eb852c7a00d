"""Tests of `turnabout serve-user`."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from turnabout.cli import main
from turnabout.models import checkpoints
from turnabout.training.user_model.train import add_end_token, save_user


def run_serve(*arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_info:
        main(["serve-user", *arguments])
    return str(exit_info.value.code)


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    save_user(add_end_token(checkpoints.load_checkpoint(tiny_checkpoint, "float32")), tmp_path / "user")
    return tmp_path / "user"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_server_answers_after_its_first_line_until_a_signal(folder: Path, signum: signal.Signals) -> None:
    options = ["serve-user", str(folder), "--port", "0", "--end-marker", "BYE"]
    run = [sys.executable, "-c", "from turnabout.cli import main; main()", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert "(models: user, user:flipped), and ends a conversation with BYE" in line
        url = line.split(" at ")[1].split()[0]
        body = json.dumps({"model": "user", "messages": [{"role": "system", "content": "trains"}], "max_tokens": 4})
        request = urllib.request.Request(f"{url}/chat/completions", body.encode(), {"Content-Type": "application/json"})
        assert json.load(urllib.request.urlopen(request, timeout=60))["object"] == "chat.completion"
        server.send_signal(signum)
        _, err = server.communicate(timeout=30)
    finally:
        server.kill()
    assert (server.returncode, err) == (0, "")


def test_a_taken_port_is_reported_before_a_model_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = run_serve("models/none", "--port", str(port))
    assert message.startswith(f"ConfigError: --host 127.0.0.1 --port {port}: ")
    assert message.endswith("give another port, or 0 for a free one")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--port", "99999", "--port 99999"),
        ("--end-marker", " ", "the text is empty"),
        ("--max-prompt-tokens", "0", "0 is not allowed"),
    ],
)
def test_invalid_options_are_reported(option: str, value: str, message: str) -> None:
    assert message in run_serve(option, value)


def test_a_missing_model_is_reported_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_serve("--port", "0").startswith("ModelError: models/user: neither a manifest")
