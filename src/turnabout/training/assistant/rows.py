"""Training rows of two completions, with reference log-probabilities.

The reference is the policy before training. It is frozen, so it scores each row once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from turnabout.training.engine.settings import TrainingSettings, autocast

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class PreferenceRow:
    """What rows of pairs and of single replies have in common."""

    weight: float
    """Factor of the row's loss."""
    p_label: float = 1.0
    """Probability that the row's label is correct."""
    reference_logps: tuple[float, float] = (0.0, 0.0)
    """The reference's summed log-probabilities of both completions, in nats."""

    def with_reference(self, first: float, second: float) -> Self:
        """Return the row with the reference's log-probabilities of both completions."""
        return replace(self, reference_logps=(first, second))

    def with_certain_label(self) -> Self:
        """Return the row as if its label were certainly correct."""
        return replace(self, p_label=1.0)


Row = TypeVar("Row", bound=PreferenceRow)


def add_reference_logps(
    model: "PreTrainedModel",
    rows: Sequence[Row],
    settings: TrainingSettings,
    compute_logps: "Callable[[PreTrainedModel, Sequence[Row]], tuple[Tensor, ...]]",
) -> list[Row]:
    """Return the rows with the log-probabilities that `model` gives them now.

    They are the first two tensors of `compute_logps`.
    """
    import torch
    from tqdm import tqdm

    scored: list[Row] = []
    for begin in tqdm(range(0, len(rows), settings.batch_size), disable=None, unit="batch", desc="reference"):
        batch = rows[begin : begin + settings.batch_size]
        with torch.no_grad(), autocast(model, settings.bf16):
            firsts, seconds = compute_logps(model, batch)[:2]
        for row, first, second in zip(batch, firsts.tolist(), seconds.tolist(), strict=True):
            scored.append(row.with_reference(first, second))
    return scored


def compute_expected_loss(rows: Sequence[PreferenceRow], as_labelled: "Tensor", flipped: "Tensor") -> "Tensor":
    """Return the weighted mean of the expected losses of a batch.

    The expectation is over uncertain labels. `as_labelled` and `flipped` are the losses, (B,), if each label is correct
    and if it is wrong.
    """
    p_label = as_labelled.new_tensor([row.p_label for row in rows])
    weight = as_labelled.new_tensor([row.weight for row in rows])
    return (weight * (p_label * as_labelled + (1 - p_label) * flipped)).mean()
