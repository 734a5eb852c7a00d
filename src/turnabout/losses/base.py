"""The seam every preference loss implements: log-probabilities of a batch of pairs in, one loss per pair out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from turnabout.config import Section

if TYPE_CHECKING:
    from torch import Tensor


class PairLogps(NamedTuple):
    """Summed log-probabilities of the completions of B pairs, in nats, and their lengths in tokens; each (B,)."""

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor


class Loss(Section):
    """One preference objective. `loss` is the key of the method in `params.yaml`."""

    loss: str
    needs_reference: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        """The loss of each pair, shape (B,). A loss that needs no reference ignores it."""

    @abstractmethod
    def rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Implicit rewards of chosen and rejected, each (B,): what `accuracy` and `margin` are read from."""
