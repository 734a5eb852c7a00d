"""KTO on three labelled replies, by hand and by TRL's trainer."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from turnabout.losses import UnaryLogps
from turnabout.losses.kto import KTO

# ρ = 3, −5 and 2; mismatched ρ = 1, 4 and −2, of which the mean is 1
POLICY = UnaryLogps(torch.tensor([-10.0, -20.0, -4.0]), torch.tensor([-30.0, -26.0, -12.0]))
REFERENCE = UnaryLogps(torch.tensor([-13.0, -15.0, -6.0]), torch.tensor([-31.0, -30.0, -10.0]))
IS_LIKED = torch.tensor([True, False, False])


def test_kto_is_one_minus_the_value_relative_to_the_divergence() -> None:
    # z₀ = 1; liked: 1 − σ(0.1·(3 − 1)) = 0.450166; disliked: 1 − σ(0.1·(1 + 5)) = 0.354344 and
    # 1 − σ(0.1·(1 − 2)) = 0.524979
    torch.testing.assert_close(KTO()(POLICY, REFERENCE, IS_LIKED), torch.tensor([0.450166, 0.354344, 0.524979]))


def test_kto_weights_liked_and_disliked_replies_separately() -> None:
    weighted = KTO(desirable=2.0, undesirable=0.5)(POLICY, REFERENCE, IS_LIKED)
    torch.testing.assert_close(weighted, KTO()(POLICY, REFERENCE, IS_LIKED) * torch.tensor([2.0, 0.5, 0.5]))


def test_kto_divergence_is_never_below_zero() -> None:
    behind = POLICY._replace(mismatched=POLICY.mismatched - 10)  # mean ρ = −9, so z₀ = 0
    at_zero = POLICY._replace(mismatched=REFERENCE.mismatched)
    torch.testing.assert_close(KTO()(behind, REFERENCE, IS_LIKED), KTO()(at_zero, REFERENCE, IS_LIKED))


def test_kto_rewards_are_the_scaled_log_ratios_without_the_divergence() -> None:
    torch.testing.assert_close(KTO().compute_rewards(POLICY, REFERENCE), torch.tensor([0.3, -0.5, 0.2]))


def test_kto_gives_no_gradient_to_the_divergence() -> None:
    completion, mismatched = (tensor.clone().requires_grad_() for tensor in POLICY)
    KTO()(UnaryLogps(completion, mismatched), REFERENCE, IS_LIKED).sum().backward()
    assert mismatched.grad is None
    assert completion.grad is not None
    assert completion.grad.sign().tolist() == [-1, 1, 1]  # liked replies become more likely, disliked ones less


def test_kto_equals_the_loss_of_the_trl_trainer() -> None:
    expected = compute_trl_loss(0.1, desirable=1.3, undesirable=0.7)
    loss = KTO(beta=0.1, desirable=1.3, undesirable=0.7)(POLICY, REFERENCE, IS_LIKED).mean()
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def compute_trl_loss(beta: float, desirable: float, undesirable: float) -> float:
    """Return the loss of `KTOTrainer` for the same log-probabilities.

    A table of them replaces its model.
    """
    from collections import defaultdict

    from trl import KTOTrainer

    def model(**_: object) -> SimpleNamespace:
        per_token = torch.stack([POLICY.completion, torch.zeros(3)], dim=1)
        return SimpleNamespace(log_probs=per_token, entropy=torch.zeros(3, 2), mean_logits=torch.zeros(3, 2))

    model.training = True  # type: ignore[attr-defined]
    accelerator = SimpleNamespace(device="cpu", gather_for_metrics=lambda tensor: tensor, gather=lambda tensor: tensor)
    trainer: Any = SimpleNamespace(
        model=model,
        accelerator=accelerator,
        _compute_kl_logps=lambda *_: POLICY.mismatched,
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        calculate_KL=True,
        loss_type="kto",
        beta=beta,
        desirable_weight=desirable,
        undesirable_weight=undesirable,
    )
    ids = torch.ones(3, 3, dtype=torch.long)
    inputs = {
        "input_ids": ids,
        "attention_mask": ids,
        "completion_mask": ids,
        "label": IS_LIKED,
        "ref_logps": REFERENCE.completion,
        "ref_KL_logps": REFERENCE.mismatched,
    }
    return float(KTOTrainer._compute_loss(trainer, model, inputs, False))
