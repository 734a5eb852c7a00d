"""Likelihoods of given turns, local and scripted, against one row per sequence."""

from pathlib import Path

import pytest
import torch

from turnabout.core.messages import Message
from turnabout.generation.base import TurnScore
from turnabout.generation.local import continuations
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

LONG = "what is a fjord, and where would I go to see one?"
PROMPTS: list[list[Message]] = [
    [{"role": "user", "content": LONG}],
    [{"role": "user", "content": "hi"}],
    [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "An inlet."},
        {"role": "user", "content": "?"},
    ],
    [{"role": "user", "content": LONG}],
]
TURNS = [["A long inlet.", "A long story", ""], ["Hello <|im_end|>!"], [], ["Norway.", "A long inlet."]]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def by_itself(checkpoint: Checkpoint, prompt: list[Message], turn: str, speaks: str) -> TurnScore:
    """The turn's log-probability from the full logits of a row of its own."""
    before, after = checkpoint.chat.encode_prompt(prompt, speaks), checkpoint.chat.encode_completion(turn)
    logps = checkpoint.model(torch.tensor([before + after])).logits[0].detach().log_softmax(dim=-1)
    return TurnScore(sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)), len(after))


@pytest.mark.parametrize("speaks", ["user", "assistant"])
@pytest.mark.parametrize(("batch_size", "max_nodes"), [(1, 1024), (3, 1024), (3, 1)])
def test_a_turn_is_as_likely_as_in_a_row_of_its_own(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, speaks: str, batch_size: int, max_nodes: int
) -> None:
    monkeypatch.setattr(continuations, "MAX_NODES", max_nodes)  # 1: no two prompts share a tree
    found = LocalGenerator(checkpoint, speaks, batch_size).score(PROMPTS, TURNS)  # type: ignore[arg-type]
    assert [len(each) for each in found] == [3, 1, 0, 2]
    for prompt, turns, scores in zip(PROMPTS, TURNS, found, strict=True):
        for turn, scored in zip(turns, scores, strict=True):
            expected = by_itself(checkpoint, prompt, turn, speaks)
            assert scored.n_tokens == expected.n_tokens
            assert scored.logp == pytest.approx(expected.logp, abs=1e-3)


def test_in_bfloat16_a_turn_is_as_likely_within_its_rounding(tiny_checkpoint: Path) -> None:
    exact, rounded = (
        [
            s.logp
            for each in LocalGenerator(load_checkpoint(tiny_checkpoint, dtype), "user", 3).score(PROMPTS, TURNS)
            for s in each
        ]
        for dtype in ("float32", "bfloat16")
    )
    # bfloat16 keeps 8 bits: 0.4 % of each of some ten tokens' 5 to 6 nats.
    assert rounded == pytest.approx(exact, rel=0.01)


def test_no_prompt_has_no_score(checkpoint: Checkpoint) -> None:
    assert LocalGenerator(checkpoint, "user", 3).score([], []) == []


def test_a_scripted_likelihood_is_asked_of_every_prompt_and_turn() -> None:
    writer = ScriptedGenerator(str, lambda prompt, turn: -float(len(prompt[-1]["content"]) * len(turn)))
    assert writer.score([PROMPTS[1], PROMPTS[2]], [["abc", "a b"], [""]]) == [
        [TurnScore(-6.0, 2), TurnScore(-6.0, 3)],
        [TurnScore(0.0, 1)],
    ]
    assert ScriptedGenerator(str).score([PROMPTS[1]], [["two words"]]) == [[TurnScore(-3.0, 3)]]
