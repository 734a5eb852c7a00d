"""Training loop: loss function and rows in; trained model out.

`transformers.Trainer` provides the optimiser, the schedule and resumable checkpoints (`trainer.py`). The caller decides
what a batch means: rows are plain Python objects and reach the loss unchanged. In several processes
(`torch.distributed`, started by `distributed.run_in_processes` or `accelerate launch`) each process learns from its
part of every batch; together they take the same step as one process.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from turnabout.training.engine.settings import Objective, TrainingSettings

if TYPE_CHECKING:
    import torch
    from transformers import TrainerCallback

#: Optimiser steps between two resume checkpoints. A checkpoint holds weights and optimiser (1.6 GB for 135M
#: parameters). A training shorter than this writes none and starts again when it is killed.
CHECKPOINT_STEPS = 200

#: Columns that every training history has.
HISTORY = ["step", "loss", "learning_rate", "tokens", "seconds"]


def train_model(
    model: "torch.nn.Module",
    rows: Sequence[Any],
    objective: Objective,
    *,
    settings: TrainingSettings,
    work: Path,
    callbacks: "Sequence[TrainerCallback]" = (),
    weight: Callable[[Sequence[Any]], float] = len,
) -> pl.DataFrame:
    """Train `model` in place and return its history, one row per step.

    The history has the columns `HISTORY` (tokens accumulated; seconds of the step) and the objective's metrics.
    `weight` is how much some rows of a batch count in its mean loss; with it several processes take the steps of one.

    AdamW without weight decay, gradients clipped to norm 1. Rows are shuffled by the seed alone. A training killed
    after `CHECKPOINT_STEPS` resumes from its last checkpoint in `work`, on the same trajectory; the folder is removed
    when the training ends. Raises `ModelError` where the loss is not finite.
    """
    from turnabout.training.engine.trainer import ObjectiveTrainer, build_arguments

    folder = work / _hash_training(rows, settings)
    trainer = ObjectiveTrainer(
        model,
        rows,
        objective=objective,
        settings=settings,
        arguments=build_arguments(folder, settings, CHECKPOINT_STEPS),
        callbacks=callbacks,
        weight=weight,
    )
    if trainer.is_world_process_zero():
        _remove_stale_checkpoints(folder)
    trainer.train(resume_from_checkpoint=_find_last_checkpoint(folder))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        shutil.rmtree(work)
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    history = pl.DataFrame(steps, infer_schema_length=None)
    metrics = sorted(set(history.columns) - {*HISTORY, "grad_norm", "epoch"})
    return history.select(*HISTORY, *metrics).with_columns(pl.col("tokens").cast(pl.Int64).cum_sum())


def summarize_history(history: pl.DataFrame) -> dict[str, float]:
    """Return the number of steps and the first and last mean loss.

    Each mean is over a tenth of the steps.
    """
    tenth = -(-history.height // 10)
    first, last = history.head(tenth), history.tail(tenth)
    return {"steps": history.height, "first_loss": first["loss"].mean(), "last_loss": last["loss"].mean()}  # type: ignore[dict-item]


def _hash_training(rows: Sequence[Any], settings: TrainingSettings) -> str:
    """Return a name for a training, from its rows and settings."""
    digest = hashlib.sha256(repr(settings).encode())
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()[:16]


def _remove_stale_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of other rows or settings beside `folder`."""
    if not folder.parent.exists():
        return
    for stale in folder.parent.iterdir():
        if stale != folder:
            shutil.rmtree(stale)


def _find_last_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint; its state file is written last."""
    states = folder.glob("checkpoint-*/trainer_state.json")
    newest = max(states, key=lambda state: int(state.parent.name.partition("-")[2]), default=None)
    return str(newest.parent) if newest else None
