"""Training input of both sides of the training benchmark."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sft_conversations import (
    build_k_plus_one_samples,
    build_user_template,
    encode_conversation,
    keep_last_messages,
)
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.training.user_model.train import add_end_token


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return add_end_token(load_checkpoint(tiny_checkpoint, "float32"))


@pytest.fixture
def sample(conversation: Callable[[Sequence[str]], dict[str, Any]]) -> dict[str, Any]:
    return conversation(["hi there", "hello", " any 3 books?\nplease", "yes", "thanks", "bye"])


def test_k_plus_one_samples_are_prefixes_with_the_same_targets(checkpoint: Checkpoint, sample: dict[str, Any]) -> None:
    whole = encode_conversation(checkpoint.chat, sample)
    template: dict[str, Any] = {"chat_template": build_user_template(checkpoint.chat), "return_dict": True}
    learnt: set[int] = set()
    for row in build_k_plus_one_samples(sample):
        render: Any = checkpoint.tokenizer.apply_chat_template
        prompt = render(row["prompt"], add_generation_prompt=True, **template)["input_ids"]
        both = render(row["prompt"] + row["completion"], **template)["input_ids"]
        assert both == whole.input_ids[: len(both)]
        assert prompt == both[: len(prompt)]
        learnt |= set(range(len(prompt), len(both)))
    assert learnt == {i for i, is_target in enumerate(whole.is_target) if is_target}


@pytest.mark.parametrize(("max_length", "kept", "targets", "n_tokens"), [(108, 4, [0, 2], 108), (107, 3, [1], 80)])
def test_keep_last_messages_leaves_room_for_the_end_token(
    checkpoint: Checkpoint, sample: dict[str, Any], *, max_length: int, kept: int, targets: list[int], n_tokens: int
) -> None:
    # One token a character: intent 25, the last four messages 28 + 16 + 14 + 16, the end 9.
    cut = keep_last_messages(checkpoint.chat, sample, max_length)
    assert cut["messages"] == sample["messages"][-kept:]
    assert cut["target_indexes"] == targets
    assert len(encode_conversation(checkpoint.chat, cut).input_ids) == n_tokens
