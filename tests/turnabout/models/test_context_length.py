"""Tests of the context length and of settings that exceed it."""

from pathlib import Path

import pytest

from turnabout.errors import ConfigError
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.context_length import check_context, get_context_length


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return checkpoints.load_checkpoint(tiny_checkpoint, "float32")  # reads 1,024 tokens


def test_context_length_is_read_from_the_configuration(checkpoint: Checkpoint) -> None:
    assert get_context_length(checkpoint) == 1024


def test_context_length_is_none_without_a_limit(checkpoint: Checkpoint) -> None:
    class Unlimited:
        def get_text_config(self) -> object:
            return object()

    class Model:
        config = Unlimited()

    unlimited = checkpoint._replace(model=Model())  # type: ignore[arg-type]
    assert get_context_length(unlimited) is None
    check_context(unlimited, {"train_user.max_length": 10**9})


def test_settings_within_the_context_length_pass(checkpoint: Checkpoint) -> None:
    fitting = {"simulate.max_prompt_tokens": 1000, "simulate.user_tokens": 24}
    check_context(checkpoint, fitting)
    with pytest.raises(ConfigError, match="1025 tokens in total"):
        check_context(checkpoint, {**fitting, "simulate.user_tokens": 25})


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (
            {"train_user.max_length": 1025},
            r"^train_user\.max_length: 1025 tokens in total, but .* 1024 .*; lower it",
        ),
        (
            {"simulate.max_prompt_tokens": 1000, "simulate.user_tokens": 25},
            r"^simulate\.max_prompt_tokens \+ simulate\.user_tokens: 1025 tokens .* 1024 .*; lower one of them",
        ),
    ],
)
def test_settings_beyond_it_are_named(checkpoint: Checkpoint, tokens: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_context(checkpoint, tokens)
