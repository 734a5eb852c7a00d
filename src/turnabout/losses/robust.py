"""Robust DPO: unbiased under labels that are flipped at a known rate, as mined feedback's are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import PairLogps, PairLoss

if TYPE_CHECKING:
    from torch import Tensor


class Robust(PairLoss):
    """[(1−ε)·ℓ(Δ) − ε·ℓ(−Δ)] / (1−2ε), ℓ(z) = −log σ(βz) (Chowdhury et al. 2024, arXiv 2403.00409, eq. 12).

    Its mean over flipped and unflipped labels is the DPO loss of the true one. It may be negative.
    """

    loss: Literal["robust"] = "robust"
    beta: float = Field(default=0.1, gt=0)
    epsilon: float = Field(default=0.1, ge=0, lt=0.5)
    """Share of pairs believed to be the wrong way round; 0 is plain DPO, near 0.5 the loss explodes."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        from torch.nn.functional import logsigmoid

        chosen, rejected = self.rewards(policy, reference)
        as_labelled, flipped = -logsigmoid(chosen - rejected), -logsigmoid(rejected - chosen)
        return ((1 - self.epsilon) * as_labelled - self.epsilon * flipped) / (1 - 2 * self.epsilon)

    def rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """β times each completion's log-ratio to the reference."""
        return self.beta * (policy.chosen - reference.chosen), self.beta * (policy.rejected - reference.rejected)
