"""Robust DPO, by hand and by its defining property."""

import pytest
import torch

from tests.turnabout.losses.pair_logps import POLICY, REFERENCE, compute_delta
from turnabout.losses.dpo import DPO
from turnabout.losses.robust import Robust


def test_robust_corrects_for_the_share_of_flipped_labels() -> None:
    # pair 1: ℓ(5) = 0.474077, ℓ(−5) = 0.974077; (0.9·0.474077 − 0.1·0.974077) / 0.8 = 0.411577
    # pair 2: ℓ(−6) = 1.037488, ℓ(6) = 0.437488; (0.9·1.037488 − 0.1·0.437488) / 0.8 = 1.112488
    torch.testing.assert_close(Robust()(POLICY, REFERENCE), torch.tensor([0.411577, 1.112488]))


def test_robust_is_the_dpo_loss_on_average_over_flipped_labels() -> None:
    flipped = [logps._replace(chosen=logps.rejected, rejected=logps.chosen) for logps in (POLICY, REFERENCE)]
    expected = 0.7 * Robust(epsilon=0.3)(POLICY, REFERENCE) + 0.3 * Robust(epsilon=0.3)(*flipped)
    torch.testing.assert_close(expected, DPO()(POLICY, REFERENCE))


def test_robust_equals_the_robust_loss_of_trl() -> None:
    log_sigmoid = torch.nn.functional.logsigmoid
    clean, flipped = -(1 - 0.2) * log_sigmoid(0.1 * compute_delta()), -0.2 * log_sigmoid(-0.1 * compute_delta())
    torch.testing.assert_close(Robust(epsilon=0.2)(POLICY, REFERENCE), (clean - flipped) / (1 - 2 * 0.2))


@pytest.mark.parametrize("epsilon", [-0.1, 0.5])
def test_robust_refuses_a_flip_rate_outside_zero_to_one_half(epsilon) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        Robust(epsilon=epsilon)
