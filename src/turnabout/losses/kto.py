"""Kahneman-Tversky optimisation: learns from single replies that people liked or disliked, without any pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import JudgedLogps, UnaryLoss

if TYPE_CHECKING:
    from torch import Tensor


class KTO(UnaryLoss):
    """λ_D·(1 − σ(β(ρ − z₀))) if liked, else λ_U·(1 − σ(β(z₀ − ρ))), with ρ = log π(y) − log π_ref(y).

    Ethayarajh et al. 2024 (arXiv 2402.01306), eq. 7 and 8. z₀ estimates KL(π‖π_ref) as they do: the mean ρ of the
    batch's mismatched completions, at least 0, through which no gradient flows.
    """

    loss: Literal["kto"] = "kto"
    beta: float = Field(default=0.1, gt=0)
    """Aversion to risk: how soon a gain is enough; the paper's 0.1."""
    desirable: float = Field(default=1.0, gt=0)
    """λ_D, the weight of a liked reply."""
    undesirable: float = Field(default=1.0, gt=0)
    """λ_U, the weight of a disliked reply. The rule `unary` balances their numbers itself, so both may stay 1."""

    def __call__(self, policy: JudgedLogps, reference: JudgedLogps, is_liked: Tensor) -> Tensor:
        import torch

        z0 = (policy.mismatched - reference.mismatched).mean().clamp(min=0).detach()
        ahead = self.rewards(policy, reference) - self.beta * z0
        liked = self.desirable * torch.sigmoid(-ahead)  # 1 − σ(x) = σ(−x)
        disliked = self.undesirable * torch.sigmoid(ahead)
        return torch.where(is_liked, liked, disliked)

    def rewards(self, policy: JudgedLogps, reference: JudgedLogps) -> Tensor:
        """β times each completion's log-ratio to the reference; z₀ is no part of it.

        Where all replies are liked, or all follow one prompt, mismatched completions gain as much as their own.
        """
        return self.beta * (policy.completion - reference.completion)
