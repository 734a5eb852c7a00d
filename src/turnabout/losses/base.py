"""The seam every preference loss implements: log-probabilities of a batch in, one loss per row out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from turnabout.core.config import Section

if TYPE_CHECKING:
    from torch import Tensor


class PairLogps(NamedTuple):
    """Summed log-probabilities of the completions of B pairs, in nats, and their lengths in tokens; each (B,)."""

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor


class JudgedLogps(NamedTuple):
    """Summed log-probabilities of B judged completions, in nats, each (B,).

    `mismatched` is that of another prompt's completion after the row's own prompt: what a completion that has nothing
    to do with the prompt has gained.
    """

    completion: Tensor
    mismatched: Tensor


class Loss(Section):
    """One preference objective. `loss` is the key of the method in `params.yaml`."""

    loss: str
    needs_reference: ClassVar[bool] = True
    learns_from: ClassVar[frozenset[Literal["pairs", "unary"]]]
    """What a rule may make for it: pairs, or single replies that were liked or disliked."""


class PairLoss(Loss):
    """An objective on two completions, of which one is preferred."""

    learns_from = frozenset({"pairs"})

    @abstractmethod
    def __call__(self, policy: PairLogps, reference: PairLogps) -> Tensor:
        """The loss of each pair, shape (B,). A loss that needs no reference ignores it."""

    @abstractmethod
    def rewards(self, policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
        """Implicit rewards of chosen and rejected, each (B,): what `accuracy` and `margin` are read from."""


class UnaryLoss(Loss):
    """An objective on single completions that were liked or disliked; a pair is one of each."""

    learns_from = frozenset({"pairs", "unary"})

    @abstractmethod
    def __call__(self, policy: JudgedLogps, reference: JudgedLogps, is_liked: Tensor) -> Tensor:
        """The loss of each completion, shape (B,)."""

    @abstractmethod
    def rewards(self, policy: JudgedLogps, reference: JudgedLogps) -> Tensor:
        """Implicit rewards, shape (B,): above 0 where a completion is likelier than under the reference."""
