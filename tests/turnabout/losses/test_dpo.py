"""DPO on two pairs, by hand and by TRL's formula."""

import pytest
import torch

from tests.turnabout.losses.pair_logps import POLICY, REFERENCE, compute_delta
from turnabout.errors import ConfigError
from turnabout.losses import LOSSES, PairLoss
from turnabout.losses.dpo import DPO


def test_dpo_is_minus_log_sigmoid_of_the_scaled_log_ratio_gap() -> None:
    # pair 1: ρ_w = −10 − (−12) = 2, ρ_l = −9 − (−6) = −3, β·Δ = 0.1·5 = 0.5, −log σ(0.5) = 0.474077
    # pair 2: ρ_w = −20 − (−18) = −2, ρ_l = −4 − (−8) = 4, β·Δ = 0.1·(−6) = −0.6, −log σ(−0.6) = 1.037488
    torch.testing.assert_close(DPO()(POLICY, REFERENCE), torch.tensor([0.474077, 1.037488]))


def test_dpo_equals_the_sigmoid_loss_of_trl() -> None:
    torch.testing.assert_close(DPO(beta=0.3)(POLICY, REFERENCE), -torch.nn.functional.logsigmoid(0.3 * compute_delta()))


def test_dpo_rewards_are_the_scaled_log_ratios() -> None:
    chosen, rejected = DPO().compute_rewards(POLICY, REFERENCE)
    torch.testing.assert_close(chosen, torch.tensor([0.2, -0.2]))
    torch.testing.assert_close(rejected, torch.tensor([-0.3, 0.4]))


@pytest.mark.parametrize("name", sorted(name for name, loss in LOSSES.items() if issubclass(loss, PairLoss)))
def test_pair_loss_gives_no_gradient_to_the_reference(name) -> None:
    start = POLICY.chosen.clone().requires_grad_()
    frozen = REFERENCE.chosen.clone().requires_grad_(False)
    loss = LOSSES[name].model_validate({})
    assert isinstance(loss, PairLoss)
    loss(POLICY._replace(chosen=start), REFERENCE._replace(chosen=frozen)).sum().backward()
    assert start.grad is not None
    assert (start.grad != 0).all()


def test_dpo_refuses_a_beta_that_is_not_positive() -> None:
    with pytest.raises((ConfigError, ValueError), match="greater than 0"):
        DPO(beta=0)
