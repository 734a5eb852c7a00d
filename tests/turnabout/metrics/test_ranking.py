"""Ranking accuracy against log-probabilities of one row per reply."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.metrics.ranking import ranking_accuracy
from turnabout.models.checkpoints import Checkpoint, load

PROMPT = [{"role": "user", "content": "hi"}]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint, "float32")


def pair(pair_id: str, chosen: str, rejected: str | None, **columns: Any) -> dict[str, Any]:
    known = {"pair_id": pair_id, "conversation_id": pair_id, "user_key": pair_id, "split": "validation", "keep": True}
    return dict.fromkeys(schemas.PAIRS) | known | {"prompt": PROMPT, "chosen": chosen, "rejected": rejected} | columns


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schemas.PAIRS)


def mean_logp(checkpoint: Checkpoint, text: str) -> float:
    before, after = checkpoint.chat.prompt_ids(PROMPT, "assistant"), checkpoint.chat.completion_ids(text)
    with torch.no_grad():
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].log_softmax(dim=-1)
    return sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after)) / len(after)


def test_a_pair_counts_where_the_chosen_reply_is_likelier_per_token(checkpoint: Checkpoint) -> None:
    # The likeliest per token of the long replies against the least likely short one: by the sum it would lose.
    better = max(("yes of course", "never in my life", "what a day it was"), key=lambda t: mean_logp(checkpoint, t))
    worse = min(("no", "hm", "ok", "so", "ah"), key=lambda text: mean_logp(checkpoint, text))
    assert mean_logp(checkpoint, better) > mean_logp(checkpoint, worse)
    pairs = frame(pair("a", better, worse), pair("b", worse, better), pair("c", better, worse))
    estimate = ranking_accuracy(checkpoint, pairs, batch_size=2, resamples=200, seed=1)
    assert (estimate.value, estimate.n) == (pytest.approx(2 / 3), 3)


def test_equal_replies_count_as_ranked(checkpoint: Checkpoint) -> None:
    assert ranking_accuracy(checkpoint, frame(pair("a", "ok", "ok"), pair("b", "ok", "ok")), 2, 10, 1).value == 1


def test_training_users_and_dropped_pairs_are_left_out(checkpoint: Checkpoint) -> None:
    pairs = frame(pair("a", "ok", "no", split="train"), pair("b", "ok", "no", keep=False, reason="empty"))
    assert ranking_accuracy(checkpoint, pairs, 2, 10, 1).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "reason": "no kept pair of validation users",
    }


def test_what_cannot_be_ranked_is_skipped_and_counted(checkpoint: Checkpoint) -> None:
    liked, joint = pair("b", "ok", None), pair("c", "ok", "no", rejected_prompt=PROMPT)
    assert ranking_accuracy(checkpoint, frame(pair("a", "ok", "no"), liked, joint), 2, 10, 1).n == 1
    reason = "no kept pair of validation users to rank: 1 with different prompts; 1 with one reply alone"
    assert ranking_accuracy(checkpoint, frame(liked, joint), 2, 10, 1).reason == reason
