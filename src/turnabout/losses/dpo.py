"""Direct preference optimisation: the chosen completion should gain more on the reference than the rejected one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import PairLogps, PairLoss

if TYPE_CHECKING:
    from torch import Tensor


class DPO(PairLoss):
    """−log σ(β(ρ_w − ρ_l)), ρ = log π(y) − log π_ref(y) (Rafailov et al. 2023, arXiv 2305.18290, eq. 7)."""

    loss: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference; the paper's 0.1."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        from torch.nn.functional import logsigmoid

        chosen, rejected = self.rewards(policy, reference)
        return -logsigmoid(chosen - rejected)

    def rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """β times each completion's log-ratio to the reference."""
        return self.beta * (policy.chosen - reference.chosen), self.beta * (policy.rejected - reference.rejected)
