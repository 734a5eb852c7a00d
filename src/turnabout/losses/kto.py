"""Kahneman-Tversky optimisation (KTO).

It learns from single liked or disliked replies, without pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import UnaryLogps, UnaryLoss

if TYPE_CHECKING:
    from torch import Tensor


class KTO(UnaryLoss):
    """λ_D·(1 − σ(β(ρ − z₀))) if liked, else λ_U·(1 − σ(β(z₀ − ρ))).

    ρ = log π(y) − log π_ref(y). Ethayarajh et al. 2024 (arXiv 2402.01306), eq. 7 and 8. As in the paper, z₀ estimates
    KL(π‖π_ref) by the mean ρ of the batch's mismatched completions; it is at least 0, and no gradient flows through it.
    """

    loss: Literal["kto"] = "kto"
    beta: float = Field(default=0.1, gt=0)
    """Risk aversion: how fast the value saturates; the paper's 0.1."""
    desirable: float = Field(default=1.0, gt=0)
    """λ_D, the weight of a liked reply."""
    undesirable: float = Field(default=1.0, gt=0)
    """λ_U, the weight of a disliked reply. The rule `unary` balances their numbers itself, so both may stay 1."""

    def __call__(self, policy: UnaryLogps, reference: UnaryLogps, is_liked: Tensor) -> Tensor:
        import torch

        z0 = (policy.mismatched - reference.mismatched).mean().clamp(min=0).detach()
        gain = self.compute_rewards(policy, reference) - self.beta * z0
        liked = self.desirable * torch.sigmoid(-gain)  # 1 − σ(x) = σ(−x)
        disliked = self.undesirable * torch.sigmoid(gain)
        return torch.where(is_liked, liked, disliked)

    def compute_rewards(self, policy: UnaryLogps, reference: UnaryLogps) -> Tensor:
        """Return β times each completion's log-ratio to the reference, shape (B,).

        z₀ is not subtracted: where all replies are liked, or all follow one prompt, the mismatched completions gain as
        much as the replies themselves.
        """
        return self.beta * (policy.completion - reference.completion)
