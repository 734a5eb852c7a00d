"""The must-learn gate: before real training, a throw-away adapter has to overfit a few pairs.

Labels that contradict each other, a template that hides the completion, or a learning rate that does nothing fail here
within seconds instead of yielding a model that learnt nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.errors import ModelError
from turnabout.training.engine.loop import Objective, Settings, autocast, train

if TYPE_CHECKING:
    import torch

#: Share of the gate's pairs whose chosen completion must end up with the higher reward.
REQUIRED = 0.95


class Gate(NamedTuple):
    """Accuracy reached on the gate's pairs, and the optimiser steps it took."""

    accuracy: float
    steps: int
    passed: bool


def must_learn(
    model: "torch.nn.Module", rows: Sequence[Any], objective: Objective, settings: Settings, work: Path
) -> Gate:
    """Train `model` on `rows` until it ranks more than `REQUIRED` of them right, at most `settings.max_steps` steps.

    Accuracy is measured after every pass over the rows. The model is spoiled by it: give a copy. Raises `ModelError`
    where it does not learn.
    """
    from transformers import TrainerCallback

    class StopWhenLearnt(TrainerCallback):  # type: ignore[misc]
        accuracy = 0.0

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.accuracy = _accuracy(model, rows, objective, settings)
            control.should_training_stop = self.accuracy > REQUIRED

    stop = StopWhenLearnt()
    history = train(model, rows, objective, settings, work, [stop])
    if stop.accuracy <= REQUIRED:
        raise ModelError(
            f"must-learn gate: after {history.height} steps at learning rate {settings.learning_rate} "
            f"{stop.accuracy:.0%} of {len(rows)} training pairs are ranked right, more than {REQUIRED:.0%} must be; "
            "look for pairs that contradict each other, for a chat template that hides the completion, and at "
            "train_assistant.gate_learning_rate and gate_steps"
        )
    return Gate(stop.accuracy, history.height, True)


def _accuracy(model: "torch.nn.Module", rows: Sequence[Any], objective: Objective, settings: Settings) -> float:
    """Share of rows ranked right by the model as it stands."""
    import torch

    right = 0.0
    for begin in range(0, len(rows), settings.batch_size):
        batch = rows[begin : begin + settings.batch_size]
        with torch.no_grad(), autocast(model, settings.bf16):
            right += objective(model, batch)[1]["accuracy"] * len(batch)
    return right / len(rows)
