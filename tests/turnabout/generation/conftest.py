"""An author behind a server on loopback, and a key that must not be found anywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnabout.core.messages import Message
from turnabout.generation.config import Desk
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.endpoint.generator import RemoteGenerator

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RemoteGenerator]:
    """`author(url, concurrency=2)` → the generator of such settings; all share the store of the test."""
    monkeypatch.setenv("CANARY_KEY", KEY)
    monkeypatch.setattr("turnabout.generation.endpoint.client.FIRST_WAIT_S", 0.005)

    def build(url: str, **settings: Any) -> RemoteGenerator:
        told = {"model": "big", "base_url": url, "key": "CANARY_KEY", "timeout_s": 10, **settings}
        opened = OpenAI.model_validate(told).open(Desk(tmp_path, "float32", 1, tmp_path / "answers.sqlite"))
        assert isinstance(opened, RemoteGenerator)
        return opened

    return build


@pytest.fixture
def prompts() -> list[list[Message]]:
    return [[{"role": "user", "content": f"question {i}"}] for i in range(40)]
