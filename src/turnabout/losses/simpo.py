"""SimPO: the reward is the policy's own mean log-probability.

It needs no reference model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from turnabout.losses.base import PairLogps, PairLoss

if TYPE_CHECKING:
    from torch import Tensor


class SimPO(PairLoss):
    """−log σ(β·l̄_w − β·l̄_l − γ), with l̄ = log π(y) per token.

    Meng et al. 2024 (arXiv 2405.14734), eq. 6.
    """

    loss: Literal["simpo"] = "simpo"
    needs_reference: ClassVar[bool] = False
    beta: float = Field(default=2.0, gt=0)
    """Scale of the reward; 2 to 2.5 in the paper."""
    gamma: float = Field(default=1.0, ge=0)
    """Target margin between the rewards of chosen and rejected; the paper's best ratio γ/β is about 0.5."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        from torch.nn.functional import logsigmoid

        chosen, rejected = self.compute_rewards(policy, reference)
        return -logsigmoid(chosen - rejected - self.gamma)

    def compute_rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Return β times each completion's mean log-probability, each (B,).

        The reference is ignored.
        """
        return self.beta * policy.chosen / policy.chosen_tokens, self.beta * policy.rejected / policy.rejected_tokens
