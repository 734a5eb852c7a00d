"""Direct preference optimisation (DPO).

The log-ratio to the reference should be higher for the chosen completion than for the rejected one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from turnabout.losses.base import LogRatioLoss, PairLogps

if TYPE_CHECKING:
    from torch import Tensor


class DPO(LogRatioLoss):
    """−log σ(β(ρ_w − ρ_l)), with ρ = log π(y) − log π_ref(y).

    Rafailov et al. 2023 (arXiv 2305.18290), eq. 7.
    """

    loss: Literal["dpo"] = "dpo"

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        from torch.nn.functional import logsigmoid

        chosen, rejected = self.compute_rewards(policy, reference)
        return -logsigmoid(chosen - rejected)
