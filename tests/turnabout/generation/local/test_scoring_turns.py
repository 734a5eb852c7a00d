"""Tests of scores of given turns, compared with one row per sequence."""

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


def score_alone(checkpoint: Checkpoint, prompt: list[Message], turn: str, speaks: str) -> TurnScore:
    """Return the turn's score from the full logits of a separate row."""
    before, after = checkpoint.chat.encode_prompt(prompt, speaks), checkpoint.chat.encode_completion(turn)
    logps = checkpoint.model(torch.tensor([before + after])).logits[0].detach().log_softmax(dim=-1)
    return TurnScore(sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)), len(after))


@pytest.mark.parametrize("speaks", ["user", "assistant"])
@pytest.mark.parametrize(("batch_size", "max_nodes"), [(1, 1024), (3, 1024), (3, 1)])
def test_score_equals_that_of_a_separate_row(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, speaks: str, batch_size: int, max_nodes: int
) -> None:
    monkeypatch.setattr(continuations, "MAX_NODES", max_nodes)  # 1: no two prompts share a tree
    scores = LocalGenerator(checkpoint, speaks, batch_size).score(PROMPTS, TURNS)  # type: ignore[arg-type]
    assert [len(prompt_scores) for prompt_scores in scores] == [3, 1, 0, 2]
    for prompt, turns, prompt_scores in zip(PROMPTS, TURNS, scores, strict=True):
        for turn, score in zip(turns, prompt_scores, strict=True):
            expected = score_alone(checkpoint, prompt, turn, speaks)
            assert score.n_tokens == expected.n_tokens
            assert score.logp == pytest.approx(expected.logp, abs=1e-3)


def test_score_in_bfloat16_is_equal_within_rounding(tiny_checkpoint: Path) -> None:
    exact, rounded = (
        [
            score.logp
            for scores in LocalGenerator(load_checkpoint(tiny_checkpoint, dtype), "user", 3).score(PROMPTS, TURNS)
            for score in scores
        ]
        for dtype in ("float32", "bfloat16")
    )
    # bfloat16 keeps 8 bits: 0.4 % of each of some ten tokens' 5 to 6 nats.
    assert rounded == pytest.approx(exact, rel=0.01)


def test_score_of_no_prompts_is_empty(checkpoint: Checkpoint) -> None:
    assert LocalGenerator(checkpoint, "user", 3).score([], []) == []


def test_scripted_generator_scores_every_turn() -> None:
    generator = ScriptedGenerator(str, lambda prompt, turn: -float(len(prompt[-1]["content"]) * len(turn)))
    assert generator.score([PROMPTS[1], PROMPTS[2]], [["abc", "a b"], [""]]) == [
        [TurnScore(-6.0, 2), TurnScore(-6.0, 3)],
        [TurnScore(0.0, 1)],
    ]
    assert ScriptedGenerator(str).score([PROMPTS[1]], [["two words"]]) == [[TurnScore(-3.0, 3)]]
