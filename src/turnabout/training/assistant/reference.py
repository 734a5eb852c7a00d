"""What the frozen policy makes of the rows, reckoned once before training."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from turnabout.training.engine.loop import Settings, autocast

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class Row(Protocol):
    """A training row of two completions, whose reference is known once they are scored."""

    def knowing(self, first: float, second: float) -> Self:
        """The row with the reference's summed log-probabilities of both, in nats."""


R = TypeVar("R", bound=Row)


def with_reference(
    model: "PreTrainedModel",
    rows: Sequence[R],
    settings: Settings,
    logps: "Callable[[PreTrainedModel, Sequence[R]], tuple[Tensor, ...]]",
) -> list[R]:
    """The rows with the log-probabilities that the model as it stands gives them: the first two tensors of `logps`."""
    import torch
    from tqdm import tqdm

    scored: list[R] = []
    for begin in tqdm(range(0, len(rows), settings.batch_size), disable=None, unit="batch", desc="reference"):
        batch = rows[begin : begin + settings.batch_size]
        with torch.no_grad(), autocast(model, settings.bf16):
            first, second = logps(model, batch)[:2]
        for row, one, other in zip(batch, first.tolist(), second.tolist(), strict=True):
            scored.append(row.knowing(one, other))
    return scored
