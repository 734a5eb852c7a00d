"""IPO on two pairs, by hand."""

import torch

from tests.turnabout.losses.pair_logps import POLICY, REFERENCE
from turnabout.losses.ipo import IPO


def test_ipo_is_the_squared_distance_of_the_mean_gap_from_its_target() -> None:
    # pair 1: 2/4 − (−3/3) = 1.5, target 1/(2·0.1) = 5, (1.5 − 5)² = 12.25
    # pair 2: −2/5 − 4/2 = −2.4, (−2.4 − 5)² = 54.76
    torch.testing.assert_close(IPO()(POLICY, REFERENCE), torch.tensor([12.25, 54.76]))


def test_ipo_has_no_loss_and_margin_one_half_at_its_target() -> None:
    # τ = 1/3: the target is 1.5, which is pair 1's mean gap; its margin is 1.5/3
    ipo = IPO(tau=1 / 3)
    chosen, rejected = ipo.compute_rewards(POLICY, REFERENCE)
    torch.testing.assert_close(ipo(POLICY, REFERENCE)[0], torch.tensor(0.0))
    torch.testing.assert_close((chosen - rejected)[0], torch.tensor(0.5))
