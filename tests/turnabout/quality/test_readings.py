"""Readings, CHES and difficulty against one forward pass per reply."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from tests.turnabout.quality.conftest import CONTEXT, Build
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.quality.readings import (
    LENGTH_NORMALISED_CHES,
    RANKING_DIFFICULTY,
    TopShare,
    add_readings,
    drop_most_alike,
    read_pairs,
)
from turnabout.quality.relabelling import flip_pairs

ROWS = (("a", "good day to you", "no"), ("b", "ok", "what a very long and winding reply this is"), ("c", "yes", "yes!"))


@pytest.fixture
def policy(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def read_reply(policy: Checkpoint, reply: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Return a reply's log-probability, its predicting states and last state."""
    prompt_ids = policy.chat.encode_prompt([{"role": "user", "content": "hi"}], "assistant")
    ids = policy.chat.encode_completion(reply)
    with torch.no_grad():
        out = policy.model(torch.tensor([prompt_ids + ids]), output_hidden_states=True)
    states = out.hidden_states[-1][0].numpy()
    logps = out.logits[0].log_softmax(dim=-1)
    # from the prompt's last token to the reply's last but one
    predicting = range(len(prompt_ids) - 1, len(prompt_ids) + len(ids) - 1)
    logp = sum(float(logps[i, token]) for i, token in zip(predicting, ids, strict=True))
    return logp, states[list(predicting)], states[-1]


def test_readings_equal_those_of_one_reply_at_a_time(policy: Checkpoint, pairs: Build) -> None:
    read = add_readings(pairs(*ROWS), policy, batch_size=4)
    measured = read.select(ches=LENGTH_NORMALISED_CHES, difficulty=RANKING_DIFFICULTY)
    for row, (_, chosen, rejected) in enumerate(ROWS):
        logp_chosen, states_chosen, end_chosen = read_reply(policy, chosen)
        logp_rejected, states_rejected, end_rejected = read_reply(policy, rejected)
        sum_chosen, sum_rejected = states_chosen.sum(axis=0), states_rejected.sum(axis=0)
        n_chosen, n_rejected = len(states_chosen), len(states_rejected)
        ches = sum_chosen @ sum_rejected / (n_chosen * n_rejected) - sum_chosen @ sum_chosen / n_chosen**2
        assert measured["ches"][row] == pytest.approx(ches, rel=1e-4, abs=1e-4)
        assert measured["difficulty"][row] == pytest.approx(logp_rejected - logp_chosen, rel=1e-4)
        assert read["end_difference"][row].to_numpy() == pytest.approx(end_chosen - end_rejected, abs=1e-4)


def test_readings_of_pairs_that_do_not_compare_are_null(policy: Checkpoint, pairs: Build) -> None:
    built = pairs(("a", "yes", None), ("b", "yes", "no"), ("c", "yes", "no", {"keep": False, "reason": "tie"}))
    read = add_readings(built, policy, batch_size=2)
    assert read.filter(pl.col("logp_chosen").is_not_null())["pair_id"].to_list() == ["b"]
    assert sorted(read["pair_id"]) == ["a", "b", "c"]


def test_very_long_reply_is_read_from_its_beginning(
    policy: Checkpoint, pairs: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_pairs(policy, pairs(("a", "yes, of c", "no")), 2)
    monkeypatch.setattr("turnabout.quality.readings.MAX_REPLY", 9)  # the test's tokens are bytes
    cut = read_pairs(policy, pairs(("a", "yes, of course", "no")), 2)
    other = read_pairs(policy, pairs(("a", "yes, of c" + "!" * 99, "no")), 2)
    assert cut.logp_chosen == other.logp_chosen
    assert cut.sq_norm_chosen == pytest.approx(other.sq_norm_chosen)
    assert cut.logp_chosen > whole.logp_chosen  # no end of turn: the reply goes on


def test_ches_and_difficulty_equal_values_by_hand(pairs: Build) -> None:
    # states of chosen (1, 0) and (3, 2), mean (2, 1); of rejected (0, 4): ⟨(2, 1), (0, 4)⟩ − ‖(2, 1)‖² = 4 − 5
    read = pairs(("a", "x", "y")).with_columns(
        logp_chosen=pl.lit(-3.0),
        logp_rejected=pl.lit(-5.0),
        dot_product=pl.lit(4.0),
        sq_norm_chosen=pl.lit(5.0),
        sq_norm_rejected=pl.lit(16.0),
    )
    # difficulty −5 − (−3): the chosen reply is more likely
    assert read.select(LENGTH_NORMALISED_CHES, RANKING_DIFFICULTY.alias("difficulty")).row(0) == (-1.0, -2.0)
    flipped = flip_pairs(read, pl.lit(True))
    # 4 − 16
    assert flipped.select(LENGTH_NORMALISED_CHES, RANKING_DIFFICULTY.alias("difficulty")).row(0) == (-12.0, 2.0)


def test_ches_is_higher_for_similar_replies(policy: Checkpoint, pairs: Build) -> None:
    read = add_readings(pairs(("a", "yes", "yes!"), ("b", "yes", "9#~ q")), policy, 2)
    similar, different = drop_most_alike(read, TopShare(drop_top=0), CONTEXT)["ches"]
    assert similar > different
