"""Identity preference optimisation: a bounded target for the gap, so that clean labels cannot drive it to infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import PairLogps, PairLoss

if TYPE_CHECKING:
    from torch import Tensor


class IPO(PairLoss):
    """(ρ̄_w − ρ̄_l − 1/(2τ))² (Azar et al. 2023, arXiv 2310.12036, eq. 17), each log-ratio ρ averaged over its tokens.

    The paper writes sums over tokens; TRL averages, having asked its authors, for a square of sums grows with length.
    """

    loss: Literal["ipo"] = "ipo"
    tau: float = Field(default=0.1, gt=0)
    """Regularisation; the gap aimed at is 1/(2τ) nats per token. 0.1 is TRL's default."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        chosen, rejected = _mean_log_ratios(policy, reference)
        return (chosen - rejected - 1 / (2 * self.tau)) ** 2

    def rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """τ times each completion's mean log-ratio, so that a learnt pair has a margin of 1/2."""
        chosen, rejected = _mean_log_ratios(policy, reference)
        return self.tau * chosen, self.tau * rejected


def _mean_log_ratios(policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
    """ρ̄ of chosen and rejected: the log-ratio to the reference per token, in nats."""
    chosen = (policy.chosen - reference.chosen) / policy.chosen_tokens
    return chosen, (policy.rejected - reference.rejected) / policy.rejected_tokens
