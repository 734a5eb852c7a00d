"""IPO on two pairs, by hand."""

import torch

from tests.turnabout.losses.pair_logps import POLICY, REFERENCE
from turnabout.losses.ipo import IPO


def test_loss_is_the_squared_distance_of_the_mean_gain_from_its_target() -> None:
    # pair 1: 2/4 − (−3/3) = 1.5, target 1/(2·0.1) = 5, (1.5 − 5)² = 12.25
    # pair 2: −2/5 − 4/2 = −2.4, (−2.4 − 5)² = 54.76
    torch.testing.assert_close(IPO()(POLICY, REFERENCE), torch.tensor([12.25, 54.76]))


def test_a_pair_at_its_target_has_no_loss_and_a_margin_of_a_half() -> None:
    # τ = 1/3: the target is 1.5, which is pair 1's mean gain; its margin is 1.5/3
    ipo = IPO(tau=1 / 3)
    chosen, rejected = ipo.rewards(POLICY, REFERENCE)
    torch.testing.assert_close(ipo(POLICY, REFERENCE)[0], torch.tensor(0.0))
    torch.testing.assert_close((chosen - rejected)[0], torch.tensor(0.5))
