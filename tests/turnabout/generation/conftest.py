"""Fixtures: a generator for a fake server, and its API key.

The key must not appear anywhere.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnabout.core.messages import Message
from turnabout.generation.config import OpenContext
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.testing import ManualClock

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RemoteGenerator]:
    """`generator(url, concurrency=2)` returns the generator of these settings.

    All generators share the test's store. Their clock does not wait; `clock=…` replaces it.
    """
    monkeypatch.setenv("CANARY_KEY", KEY)

    def build(url: str, clock: ManualClock | None = None, **settings: Any) -> RemoteGenerator:
        entry = {"model": "big", "base_url": url, "key": "CANARY_KEY", "timeout_s": 10, **settings}
        opened = OpenAI.model_validate(entry).open(OpenContext(tmp_path, "float32", 1, tmp_path / "answers.sqlite"))
        assert isinstance(opened, RemoteGenerator)
        opened.calls.clock = clock or ManualClock()
        return opened

    return build


@pytest.fixture
def prompts() -> list[list[Message]]:
    return [[{"role": "user", "content": f"question {i}"}] for i in range(40)]
