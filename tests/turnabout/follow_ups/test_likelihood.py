"""Follow-up likelihood against one forward pass per follow-up."""

from pathlib import Path

import numpy as np
import pytest
import torch

from turnabout.core.messages import Message
from turnabout.follow_ups import Phrases, compute_follow_up_rewards, compute_phrase_logps
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

PHRASES = Phrases(["Thanks!", "That helps."], ["That's wrong.", "No", "Why?"], 1)


def build_context(question: str, reply: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


CONTEXTS = [
    build_context("what is a fjord", "a long narrow inlet of the sea"),
    build_context("what is a fjord", "no idea"),
    build_context("what is a fjord", ""),
    build_context("hi", "hello, how are you?"),
]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def compute_reward_naively(checkpoint: Checkpoint, context: list[Message]) -> float:
    """r(x, y) with one forward pass over the whole row for each follow-up, all logits kept."""

    def mean_logp(text: str) -> float:
        before, after = checkpoint.chat.encode_prompt(context, "user"), checkpoint.chat.encode_completion(text)
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].detach().log_softmax(dim=-1)
        return float(np.mean([float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)]))

    positive, negative = ([mean_logp(text) for text in texts] for texts in (PHRASES.positive, PHRASES.negative))
    return float(np.mean(positive) - np.mean(negative))


def test_reward_equals_one_pass_per_follow_up(checkpoint: Checkpoint) -> None:
    rewards = compute_follow_up_rewards(LocalGenerator(checkpoint, "user", 3), CONTEXTS, PHRASES)
    assert rewards == pytest.approx([compute_reward_naively(checkpoint, context) for context in CONTEXTS], abs=1e-4)
    assert len(set(np.round(rewards, 5))) == len(CONTEXTS)  # the reply and the prompt matter


def test_intent_is_the_system_message(checkpoint: Checkpoint) -> None:
    intents = [f"You want thing {i}." for i in range(len(CONTEXTS))]
    expected = [
        compute_reward_naively(checkpoint, [{"role": "system", "content": intent}, *context])
        for intent, context in zip(intents, CONTEXTS, strict=True)
    ]
    user = LocalGenerator(checkpoint, "user", 4)
    assert compute_follow_up_rewards(user, CONTEXTS, PHRASES, intents) == pytest.approx(expected, abs=1e-4)


def test_likelihood_is_per_token_and_positive_follow_ups_come_first() -> None:
    user = ScriptedGenerator(str, lambda context, turn: -6.0 if turn == "That helps." else -1.0)
    logps = compute_phrase_logps(user, CONTEXTS[:1], PHRASES)
    # The tokens of the text and the end of the turn: 2, 3, 3, 2 and 2.
    assert logps.tolist() == [pytest.approx([-1 / 2, -6 / 3, -1 / 3, -1 / 2, -1 / 2])]
    assert compute_follow_up_rewards(user, CONTEXTS[:1], PHRASES) == [pytest.approx(-2.5 / 2 + (4 / 3) / 3)]


def test_no_contexts_give_no_rewards() -> None:
    assert compute_follow_up_rewards(ScriptedGenerator(str), [], PHRASES) == []
