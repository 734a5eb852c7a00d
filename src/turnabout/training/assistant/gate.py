"""Must-learn gate: a throw-away adapter has to overfit a few pairs.

It runs before the real training. Contradictory labels, a template that hides the completion, or a learning rate without
effect fail here within seconds, instead of yielding a model that has learnt nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.errors import ModelError
from turnabout.training.engine.loop import train_model
from turnabout.training.engine.settings import Objective, TrainingSettings, autocast

if TYPE_CHECKING:
    import torch

#: The share of the gate's pairs that are ranked correctly has to exceed this.
REQUIRED_ACCURACY = 0.95


class GateResult(NamedTuple):
    """Accuracy reached on the gate's pairs, and the optimiser steps it took."""

    accuracy: float
    steps: int
    passed: bool


def run_gate(
    model: "torch.nn.Module", rows: Sequence[Any], objective: Objective, *, settings: TrainingSettings, work: Path
) -> GateResult:
    """Train `model` until it ranks the rows correctly.

    The share of correct rows has to exceed `REQUIRED_ACCURACY`. It takes at most `settings.max_steps` steps, and
    accuracy is measured after every pass over the rows. The training changes `model`, so give it a copy. Raises
    `ModelError` if the accuracy is not reached.
    """
    from transformers import TrainerCallback

    class StopWhenLearnt(TrainerCallback):  # type: ignore[misc]
        accuracy = 0.0

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.accuracy = _measure_accuracy(model, rows, objective, settings)
            control.should_training_stop = self.accuracy > REQUIRED_ACCURACY

    stop = StopWhenLearnt()
    history = train_model(model, rows, objective, settings=settings, work=work, callbacks=[stop])
    if stop.accuracy <= REQUIRED_ACCURACY:
        raise ModelError(
            f"must-learn gate: after {history.height} steps at learning rate {settings.learning_rate}, "
            f"{stop.accuracy:.0%} of {len(rows)} training pairs are ranked correctly, but more than "
            f"{REQUIRED_ACCURACY:.0%} must be; look for pairs that contradict each other, for a chat template that "
            "hides the completion, and at train_assistant.gate_learning_rate and gate_steps"
        )
    return GateResult(accuracy=stop.accuracy, steps=history.height, passed=True)


def _measure_accuracy(
    model: "torch.nn.Module", rows: Sequence[Any], objective: Objective, settings: TrainingSettings
) -> float:
    """Return the share of rows that the model ranks correctly now."""
    import torch

    n_correct = 0.0
    for begin in range(0, len(rows), settings.batch_size):
        batch = rows[begin : begin + settings.batch_size]
        with torch.no_grad(), autocast(model, settings.bf16):
            n_correct += objective(model, batch)[1]["accuracy"] * len(batch)
    return n_correct / len(rows)
