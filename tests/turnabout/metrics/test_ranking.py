"""Ranking accuracy against log-probabilities from one row per reply."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.ranking import estimate_ranking_accuracy
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.stats.estimate import Bootstrap

PROMPT: list[Message] = [{"role": "user", "content": "hi"}]


@pytest.fixture
def assistant(tiny_checkpoint: Path) -> LocalGenerator:
    return LocalGenerator(load_checkpoint(tiny_checkpoint, "float32"), "assistant", 2)


def pair(pair_id: str, chosen: str, rejected: str | None, **columns: Any) -> dict[str, Any]:
    known = {"pair_id": pair_id, "conversation_id": pair_id, "user_key": pair_id, "split": "validation", "keep": True}
    return dict.fromkeys(schemas.PAIRS) | known | {"prompt": PROMPT, "chosen": chosen, "rejected": rejected} | columns


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schemas.PAIRS)


def mean_logp(checkpoint: Checkpoint, text: str) -> float:
    before, after = checkpoint.chat.encode_prompt(PROMPT, "assistant"), checkpoint.chat.encode_completion(text)
    with torch.no_grad():
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].log_softmax(dim=-1)
    return sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)) / len(after)


def test_pair_is_correct_if_chosen_is_likelier_per_token(assistant: LocalGenerator) -> None:
    checkpoint = assistant.checkpoint
    # The likeliest per token of the long replies against the least likely short one: by the sum it would lose.
    better = max(("yes of course", "never in my life", "what a day it was"), key=lambda t: mean_logp(checkpoint, t))
    worse = min(("no", "hm", "ok", "so", "ah"), key=lambda text: mean_logp(checkpoint, text))
    assert mean_logp(checkpoint, better) > mean_logp(checkpoint, worse)
    pairs = frame(pair("a", better, worse), pair("b", worse, better), pair("c", better, worse))
    estimate = estimate_ranking_accuracy(assistant, pairs, Bootstrap(200, seed=1))
    assert (estimate.value, estimate.n) == (pytest.approx(2 / 3), 3)


def test_pair_of_equal_replies_is_correct(assistant: LocalGenerator) -> None:
    pairs = frame(pair("a", "ok", "ok"), pair("b", "ok", "ok"))
    assert estimate_ranking_accuracy(assistant, pairs, Bootstrap(10, seed=1)).value == 1


def test_ranking_ignores_training_users_and_dropped_pairs(assistant: LocalGenerator) -> None:
    pairs = frame(pair("a", "ok", "no", split="train"), pair("b", "ok", "no", keep=False, reason="empty"))
    assert estimate_ranking_accuracy(assistant, pairs, Bootstrap(10, seed=1)).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "reason": "no kept pair of validation users",
    }


def test_ranking_skips_and_counts_incomparable_pairs(assistant: LocalGenerator) -> None:
    bootstrap, liked = Bootstrap(10, seed=1), pair("b", "ok", None)
    joint = pair("c", "ok", "no", rejected_prompt=PROMPT)
    assert estimate_ranking_accuracy(assistant, frame(pair("a", "ok", "no"), liked, joint), bootstrap).n == 1
    reason = "no kept pair of validation users to rank: 1 with different prompts; 1 with one reply alone"
    assert estimate_ranking_accuracy(assistant, frame(liked, joint), bootstrap).reason == reason
