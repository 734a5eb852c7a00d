"""SimPO on two pairs, by hand."""

import torch

from tests.turnabout.losses.pair_logps import POLICY, REFERENCE
from turnabout.losses.simpo import SimPO


def test_simpo_compares_mean_log_probabilities_with_a_margin() -> None:
    # pair 1: 2·(−10/4) − 2·(−9/3) − 1 = −5 + 6 − 1 = 0, −log σ(0) = log 2 = 0.693147
    # pair 2: 2·(−20/5) − 2·(−4/2) − 1 = −8 + 4 − 1 = −5, −log σ(−5) = 5.006715
    torch.testing.assert_close(SimPO()(POLICY, REFERENCE), torch.tensor([0.693147, 5.006715]))


def test_simpo_ignores_the_reference() -> None:
    assert not SimPO.needs_reference
    torch.testing.assert_close(SimPO()(POLICY, REFERENCE), SimPO()(POLICY, POLICY))
