"""The must-learn gate passes what can be learnt and stops what cannot."""

import pytest

from turnabout.errors import ModelError
from turnabout.losses.dpo import DPO
from turnabout.training.assistant.gate import must_learn
from turnabout.training.assistant.pairwise import encode_pairs, pair_logps, pair_objective
from turnabout.training.assistant.reference import with_reference
from turnabout.training.engine.adapter import new_adapter


@pytest.fixture
def attempt(tiny, settings, tmp_path):
    def run(pairs, steps):
        rows = with_reference(tiny.model, encode_pairs(tiny.chat, pairs, 100)[0], settings, pair_logps)
        gate = settings._replace(schedule="constant", epochs=steps, max_steps=steps)
        return must_learn(new_adapter(tiny, 4, 7), rows, pair_objective(DPO()), gate, tmp_path / "gate")

    return run


def test_learnable_pairs_pass_and_training_stops_as_soon_as_they_do(attempt, pairs) -> None:
    passed = attempt(pairs(("hi", "good", "bad"), ("yo", "fine", "ugly")), 40)
    assert passed.passed
    assert passed.accuracy == 1.0
    assert 1 <= passed.steps < 40


def test_pairs_that_contradict_each_other_fail_with_what_was_reached_and_what_to_check(attempt, pairs) -> None:
    # Whatever the model, the two margins are each other's negative: at most half can be right.
    with pytest.raises(ModelError, match=r"after 6 steps .*(50|0)% of 2 .*contradict each other.*gate_learning_rate"):
        attempt(pairs(("hi", "good", "bad"), ("hi", "bad", "good")), 6)
