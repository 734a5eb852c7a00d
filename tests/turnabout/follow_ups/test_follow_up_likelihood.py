"""Follow-up likelihood against a row per follow-up, and the phrases it reads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from turnabout.backbones import Checkpoint, load
from turnabout.errors import ConfigError
from turnabout.follow_ups import Phrases, follow_up_likelihood, likelihood, load_phrases
from turnabout.generation import Message

PHRASES = Phrases(["Thanks!", "That helps."], ["That's wrong.", "No", "Why?"], 1)
CONTEXTS: list[list[Message]] = [
    [{"role": "user", "content": "what is a fjord"}, {"role": "assistant", "content": reply}]
    for reply in ("a long narrow inlet of the sea", "no idea", "")
] + [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello, how are you?"}]]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint, "float32")


def naive(checkpoint: Checkpoint, context: list[Message]) -> float:
    """r(x, y) with one forward pass over the whole row for each follow-up, all logits kept."""

    def mean_logp(text: str) -> float:
        before, after = checkpoint.chat.prompt_ids(context, "user"), checkpoint.chat.completion_ids(text)
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].detach().log_softmax(dim=-1)
        return float(np.mean([float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)]))

    positive, negative = ([mean_logp(text) for text in texts] for texts in (PHRASES.positive, PHRASES.negative))
    return float(np.mean(positive) - np.mean(negative))


@pytest.mark.parametrize("max_nodes", [1, 1024])
def test_shared_prompts_and_batches_change_nothing(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, max_nodes: int
) -> None:
    monkeypatch.setattr(likelihood, "MAX_NODES", max_nodes)  # 1: no two contexts fit into one tree
    rewards = follow_up_likelihood(checkpoint, CONTEXTS, PHRASES, batch_size=3)
    assert rewards == pytest.approx([naive(checkpoint, context) for context in CONTEXTS], abs=1e-4)
    assert len(set(np.round(rewards, 5))) == len(CONTEXTS)  # the reply and the prompt matter


def test_the_intent_is_the_system_message(checkpoint: Checkpoint) -> None:
    intents = [f"You want thing {i}." for i in range(len(CONTEXTS))]
    told = [
        naive(checkpoint, [{"role": "system", "content": intent}, *context])
        for intent, context in zip(intents, CONTEXTS, strict=True)
    ]
    assert follow_up_likelihood(checkpoint, CONTEXTS, PHRASES, 4, intents) == pytest.approx(told, abs=1e-4)


def test_no_context_has_no_reward(checkpoint: Checkpoint) -> None:
    assert follow_up_likelihood(checkpoint, [], PHRASES, 4) == []


def test_every_dimension_gives_as_many_phrases_of_each_sign() -> None:
    few, all_of_them = load_phrases(1), load_phrases(10)
    assert (len(few.positive), len(few.negative)) == (6, 6)
    assert (len(all_of_them.positive), len(all_of_them.negative)) == (60, 60)
    assert set(few.positive) < set(all_of_them.positive)
    assert len({*all_of_them.positive, *all_of_them.negative}) == 120  # none stands twice, none on both sides


@pytest.mark.parametrize("wrong", [0, 11])
def test_more_phrases_than_there_are_is_refused(wrong: int) -> None:
    with pytest.raises(ConfigError, match=f"phrases_per_dimension: {wrong} came, the phrases allow 1 to 10"):
        load_phrases(wrong)
