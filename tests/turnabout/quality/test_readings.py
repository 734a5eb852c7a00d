"""Readings, CHES and difficulty against one plain forward pass per reply, without batches and pads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.turnabout.quality.conftest import Build
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.quality.ches import length_normalised_ches
from turnabout.quality.difficulty import ranking_difficulty
from turnabout.quality.readings import Readings, readings, swapped

ROWS = (("a", "good day to you", "no"), ("b", "ok", "what a very long and winding reply this is"), ("c", "yes", "yes!"))


@pytest.fixture
def policy(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def plain(policy: Checkpoint, reply: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Summed log-probability, states that predict the reply's tokens, and its last state."""
    before = policy.chat.encode_prompt([{"role": "user", "content": "hi"}], "assistant")
    ids = policy.chat.encode_completion(reply)
    with torch.no_grad():
        out = policy.model(torch.tensor([before + ids]), output_hidden_states=True)
    states = out.hidden_states[-1][0].numpy()
    logps = out.logits[0].log_softmax(dim=-1)
    at = range(len(before) - 1, len(before) + len(ids) - 1)  # the prompt's last token to the reply's last but one
    return sum(float(logps[i, token]) for i, token in zip(at, ids, strict=True)), states[list(at)], states[-1]


def test_readings_are_those_of_one_reply_at_a_time(policy: Checkpoint, pairs: Build) -> None:
    read = readings(policy, pairs(*ROWS), batch_size=4)
    for row, (_, chosen, rejected) in enumerate(ROWS):
        (logp, states, last), (other_logp, other_states, other_last) = plain(policy, chosen), plain(policy, rejected)
        ours, theirs = states.sum(axis=0), other_states.sum(axis=0)
        ches = ours @ theirs / (len(states) * len(other_states)) - ours @ ours / len(states) ** 2
        assert length_normalised_ches(read)[row] == pytest.approx(ches, rel=1e-4, abs=1e-4)
        assert ranking_difficulty(read)[row] == pytest.approx(other_logp - logp, rel=1e-4)
        assert read.difference[row] == pytest.approx(last - other_last, abs=1e-4)


def test_of_a_very_long_reply_the_beginning_is_read(
    policy: Checkpoint, pairs: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = readings(policy, pairs(("a", "yes, of c", "no")), 2)
    monkeypatch.setattr("turnabout.quality.readings.MAX_REPLY", 9)  # the test's tokens are bytes
    cut, other = (readings(policy, pairs(("a", text, "no")), 2) for text in ("yes, of course", "yes, of c" + "!" * 99))
    assert cut.logp_chosen == other.logp_chosen
    assert cut.of_chosen == pytest.approx(other.of_chosen)
    assert cut.logp_chosen > whole.logp_chosen  # no end of turn: the reply goes on


def test_ches_and_difficulty_by_hand() -> None:
    # states of chosen (1, 0) and (3, 2), mean (2, 1); of rejected (0, 4): ⟨(2, 1), (0, 4)⟩ − ‖(2, 1)‖² = 4 − 5
    one = np.ones(1, np.float32)
    read = Readings(-3 * one, -5 * one, 4 * one, 5 * one, 16 * one, np.ones((1, 2), np.float32))
    assert length_normalised_ches(read).tolist() == [-1.0]
    assert ranking_difficulty(read).tolist() == [-2.0]  # −5 − (−3): the chosen reply is likelier
    turned = swapped(read, np.array([True]))
    assert length_normalised_ches(turned).tolist() == [-12.0]  # 4 − 16
    assert ranking_difficulty(turned).tolist() == [2.0]
    assert turned.difference.tolist() == [[-1.0, -1.0]]


def test_a_pair_of_like_replies_has_a_higher_ches_than_one_of_unlike_ones(policy: Checkpoint, pairs: Build) -> None:
    like, unlike = length_normalised_ches(readings(policy, pairs(("a", "yes", "yes!"), ("b", "yes", "9#~ q")), 2))
    assert like > unlike
