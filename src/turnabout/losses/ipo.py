"""Identity preference optimisation (IPO).

The gap between chosen and rejected has a finite target, so clean labels cannot drive it to infinity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from turnabout.losses.base import PairLogps, PairLoss

if TYPE_CHECKING:
    from torch import Tensor


class IPO(PairLoss):
    """(ρ̄_w − ρ̄_l − 1/(2τ))², each log-ratio ρ averaged over its tokens.

    Azar et al. 2023 (arXiv 2310.12036), eq. 17. The paper sums over tokens. TRL averages, as the paper's authors
    advised when asked, because the square of a sum grows with length.
    """

    loss: Literal["ipo"] = "ipo"
    tau: float = Field(default=0.1, gt=0)
    """Regularisation; the target gap is 1/(2τ) nats per token. 0.1 is TRL's default."""

    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        chosen, rejected = _mean_log_ratios(policy, reference)
        return (chosen - rejected - 1 / (2 * self.tau)) ** 2

    def compute_rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Return τ times each completion's mean log-ratio, each (B,).

        A pair at its target has a margin of 1/2.
        """
        chosen, rejected = _mean_log_ratios(policy, reference)
        return self.tau * chosen, self.tau * rejected


def _mean_log_ratios(policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
    """Return ρ̄ of chosen and rejected, each (B,), in nats per token."""
    chosen = (policy.chosen - reference.chosen) / policy.chosen_tokens
    rejected = (policy.rejected - reference.rejected) / policy.rejected_tokens
    return chosen, rejected
