"""Hyperparameters, run context and precision of a training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import TrainerCallback

#: (model, rows of one batch) → the loss and the step's other metrics, numbers or None. The metric `tokens` is
#: accumulated over the steps.
Objective = Callable[[Any, Sequence[Any]], "tuple[Tensor, dict[str, Any]]"]

#: Folder in which stages keep the checkpoints of unfinished trainings, relative to the project's root.
WORK = Path(".turnabout/work")


class TrainingSettings(NamedTuple):
    """Training hyperparameters: everything but the data and the loss."""

    learning_rate: float
    epochs: int
    batch_size: int
    seed: int
    bf16: bool
    """Compute in bfloat16; weights and optimiser keep their precision."""
    start: str
    """Identifies the initial model (by its fingerprint), and the loss where there are several."""
    warmup: float = 0.0
    """Share of the steps over which the learning rate rises."""
    schedule: Literal["cosine", "constant"] = "cosine"
    max_steps: int | None = None
    gradient_checkpointing: bool = False
    """Recompute the layers' activations in the backward pass instead of storing them: less memory, more time."""


class RunContext(NamedTuple):
    """Context of a training run besides its data and its settings."""

    seed: int
    dtype: str
    """`backbone.dtype`: with `bfloat16`, the forward pass computes in bfloat16."""
    start: str
    """Name or fingerprint of the initial model; checkpoints of another one are not resumed."""
    work: Path
    """Folder for the checkpoints of the unfinished training; removed when the training ends."""
    callbacks: "Sequence[TrainerCallback]" = ()

    @property
    def bf16(self) -> bool:
        """Whether the forward pass computes in bfloat16."""
        return self.dtype == "bfloat16"


def autocast(model: "torch.nn.Module", bf16: bool) -> "torch.autocast":
    """Return the precision context of one forward pass.

    Training, reference log-probabilities and the must-learn gate all use it.
    """
    import torch

    return torch.autocast(str(model.device.type), torch.bfloat16, enabled=bf16)
