"""The must-learn gate, on learnable and on contradictory pairs."""

import pytest

from turnabout.errors import ModelError
from turnabout.losses.dpo import DPO
from turnabout.training.assistant.gate import run_gate
from turnabout.training.assistant.pairwise import build_pair_objective, compute_pair_logps, encode_pairs
from turnabout.training.assistant.rows import add_reference_logps
from turnabout.training.engine.adapter import create_adapter


@pytest.fixture
def run_gate_on(tiny, settings, tmp_path):
    def run(pairs, steps):
        rows = add_reference_logps(tiny.model, encode_pairs(tiny.chat, pairs, 100)[0], settings, compute_pair_logps)
        gate = settings._replace(schedule="constant", epochs=steps, max_steps=steps)
        return run_gate(
            create_adapter(tiny, 4, 7), rows, build_pair_objective(DPO()), settings=gate, work=tmp_path / "gate"
        )

    return run


def test_gate_passes_learnable_pairs_and_stops_at_once(run_gate_on, pairs) -> None:
    result = run_gate_on(pairs(("hi", "good", "bad"), ("yo", "fine", "ugly")), 40)
    assert result.passed
    assert result.accuracy == 1.0
    assert 1 <= result.steps < 40


def test_gate_fails_with_advice_when_pairs_contradict_each_other(run_gate_on, pairs) -> None:
    # For any model the two margins are each other's negative: at most half of the pairs can be ranked correctly.
    with pytest.raises(ModelError, match=r"after 6 steps .*(50|0)% of 2 .*contradict each other.*gate_learning_rate"):
        run_gate_on(pairs(("hi", "good", "bad"), ("hi", "bad", "good")), 6)
