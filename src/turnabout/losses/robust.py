"""Robust DPO: unbiased when labels are flipped at a known rate.

Labels from mined feedback are of that kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import LogRatioLoss, PairLogps

if TYPE_CHECKING:
    from torch import Tensor


class Robust(LogRatioLoss):
    """[(1−ε)·ℓ(Δ) − ε·ℓ(−Δ)] / (1−2ε), with ℓ(z) = −log σ(βz).

    Chowdhury et al. 2024 (arXiv 2403.00409), eq. 12. Its mean over flipped and unflipped labels is the DPO loss of the
    true label. It may be negative.
    """

    loss: Literal["robust"] = "robust"
    epsilon: float = Field(default=0.1, ge=0, lt=0.5)
    """Assumed share of pairs with flipped labels; 0 is plain DPO, and the loss explodes near 0.5."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        from torch.nn.functional import logsigmoid

        chosen, rejected = self.compute_rewards(policy, reference)
        as_labelled, flipped = -logsigmoid(chosen - rejected), -logsigmoid(rejected - chosen)
        return ((1 - self.epsilon) * as_labelled - self.epsilon * flipped) / (1 - 2 * self.epsilon)
