"""Interface of the preference losses.

A loss takes the log-probabilities of a batch and returns one value per row.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from turnabout.core.config import Section

if TYPE_CHECKING:
    from torch import Tensor


class PairLogps(NamedTuple):
    """Log-probabilities of the completions of B pairs.

    `chosen` and `rejected` are summed over the tokens, in nats; the other two are lengths in tokens. Each is (B,).
    """

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor


class UnaryLogps(NamedTuple):
    """Summed log-probabilities of B single completions, in nats; each (B,).

    `mismatched` scores the completion of another prompt after the row's own prompt. It shows how much the policy has
    raised completions that have nothing to do with the prompt.
    """

    completion: Tensor
    mismatched: Tensor


class Loss(Section):
    """One preference objective; `loss` is its key in `params.yaml`."""

    loss: str
    needs_reference: ClassVar[bool] = True
    learns_from: ClassVar[frozenset[Literal["pairs", "unary"]]]
    """Kinds of rows the loss accepts: pairs, or single replies that were liked or disliked."""


class PairLoss(Loss):
    """An objective on two completions, of which one is preferred."""

    learns_from = frozenset({"pairs"})

    @abstractmethod
    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        """Return the loss of each pair, shape (B,).

        A loss without `needs_reference` ignores `reference`.
        """

    @abstractmethod
    def compute_rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Return the implicit rewards of chosen and rejected, each (B,).

        The training metrics `accuracy` and `margin` are computed from them.
        """


class LogRatioLoss(PairLoss):
    """A pair loss with the log-ratio to the reference as reward.

    The implicit reward of a completion is β times its log-ratio.
    """

    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference; 0.1 in the DPO paper."""

    def compute_rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Return β times each completion's log-ratio to the reference, each (B,)."""
        chosen = self.beta * (policy.chosen - reference.chosen)
        rejected = self.beta * (policy.rejected - reference.rejected)
        return chosen, rejected


class UnaryLoss(Loss):
    """An objective on single completions that were liked or disliked.

    It accepts pairs as well: a pair is one liked and one disliked completion.
    """

    learns_from = frozenset({"pairs", "unary"})

    @abstractmethod
    def __call__(self, policy: UnaryLogps, reference: UnaryLogps, is_liked: Tensor) -> Tensor:
        """Return the loss of each completion, shape (B,)."""

    @abstractmethod
    def compute_rewards(self, policy: UnaryLogps, reference: UnaryLogps) -> Tensor:
        """Return the implicit rewards, shape (B,).

        A reward is above 0 where the policy gives the completion a higher probability than the reference does.
        """
