"""Fixtures of the tests of benchmarks: a conversation that its user ends."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest


@pytest.fixture
def conversation() -> Callable[[Sequence[str]], dict[str, Any]]:
    """Return a builder of conversations as rows of `schemas.USER_SAMPLES`.

    `conversation(["hi", "hello"])` has user and assistant in turn.
    """

    def build(texts: Sequence[str]) -> dict[str, Any]:
        roles = ["user" if index % 2 == 0 else "assistant" for index in range(len(texts))]
        return {
            "conversation_id": "c1",
            "user_key": "ann",
            "split": "train",
            "intent": "You are a user.",
            "messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)],
            "target_indexes": [index for index, role in enumerate(roles) if role == "user"],
            "ends": True,
        }

    return build
