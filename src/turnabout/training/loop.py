"""The one adapter to `transformers.Trainer`: a pure loss and plain rows in; a trained model and its history out.

The trainer brings the optimiser, the schedule and resumable checkpoints. What a batch means stays with the caller: rows
are plain Python objects and reach the loss as they are.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import polars as pl

from turnabout.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import TrainerCallback

#: (model, rows of one batch) → the loss and what else is worth a curve, numbers or None; `tokens` is added up over the
#: steps.
Objective = Callable[[Any, Sequence[Any]], "tuple[Tensor, dict[str, Any]]"]

#: Where stages keep the checkpoints of unfinished trainings, from the project's root.
WORK = Path(".turnabout/work")

#: Optimiser steps between two resume checkpoints. One holds weights and optimiser (135M parameters: 1.6 GB), so a
#: training shorter than this writes none and, when killed, begins again.
CHECKPOINT_STEPS = 200


class Settings(NamedTuple):
    """What decides a training besides its rows, its loss function and the order of its operations."""

    learning_rate: float
    epochs: int
    batch_size: int
    seed: int
    bf16: bool
    """Compute in bfloat16; weights and optimiser keep their precision."""
    start: str
    """Names the model that is trained (its fingerprint), and the loss where there are several."""
    warmup: float = 0.0
    """Share of the steps in which the learning rate rises."""
    schedule: Literal["cosine", "constant"] = "cosine"
    max_steps: int | None = None


def train(
    model: "torch.nn.Module",
    rows: Sequence[Any],
    objective: Objective,
    settings: Settings,
    work: Path,
    callbacks: "Sequence[TrainerCallback]" = (),
) -> pl.DataFrame:
    """Train `model` in place; one row per step: step, loss, learning_rate, tokens so far, and the objective's metrics.

    AdamW without weight decay, gradients clipped to 1. Rows are shuffled by the seed alone. A training killed after
    `CHECKPOINT_STEPS` goes on from its last checkpoint in `work`, with the same trajectory; the folder goes when the
    training ends. Raises `ModelError` where the loss is not finite.
    """
    from transformers import PrinterCallback, Trainer

    class ObjectiveTrainer(Trainer):  # type: ignore[misc]
        def _prepare_inputs(self, inputs: Any) -> Any:
            return inputs

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> "Tensor":
            with autocast(model, settings.bf16):
                loss, metrics = objective(model, inputs)
            if not loss.isfinite():
                raise ModelError(
                    f"the loss is {loss.item()} at step {self.state.global_step + 1}; lower the learning rate "
                    f"({settings.learning_rate}) or look for a broken row"
                )
            self.told = {"learning_rate": self._get_learning_rate(), **metrics}
            return loss

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            super().log(logs | self.told if "loss" in logs else logs, start_time)

    place = _place(work, rows, settings)
    trainer = ObjectiveTrainer(
        model=model,
        args=_arguments(place, settings),
        train_dataset=list(rows),
        data_collator=list,  # type: ignore[arg-type]
        callbacks=[*callbacks, *_progress()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=_last_checkpoint(place))
    shutil.rmtree(work)
    history = pl.DataFrame([entry for entry in trainer.state.log_history if "loss" in entry], infer_schema_length=None)
    columns = ["step", "loss", "learning_rate", "tokens"]
    others = sorted(set(history.columns) - {*columns, "grad_norm", "epoch"})
    return history.select(*columns, *others).with_columns(pl.col("tokens").cast(pl.Int64).cum_sum())


def autocast(model: "torch.nn.Module", bf16: bool) -> "torch.autocast":
    """The precision of one forward pass, the same for training, reference and gate."""
    import torch

    return torch.autocast(str(model.device.type), torch.bfloat16, enabled=bf16)


def summary(history: pl.DataFrame) -> dict[str, float]:
    """Steps taken, and the mean loss of the first and the last tenth of them."""
    tenth = -(-history.height // 10)
    first, last = history.head(tenth), history.tail(tenth)
    return {"steps": history.height, "first_loss": first["loss"].mean(), "last_loss": last["loss"].mean()}  # type: ignore[dict-item]


def _arguments(place: Path, settings: Settings) -> Any:
    import torch
    from transformers import TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(place),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="steps",
        save_steps=CHECKPOINT_STEPS,
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    # Several GPUs would each get `batch_size` rows and wrap the model: another training than the settings say.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _progress() -> "list[TrainerCallback]":
    """A bar with rate, time left and the last loss on a terminal; elsewhere nothing."""
    from transformers.trainer_callback import ProgressCallback

    class Bar(ProgressCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if self.training_bar is not None and logs and "loss" in logs:
                self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}")

    return [Bar()] if sys.stderr.isatty() else []


def _place(work: Path, rows: Sequence[Any], settings: Settings) -> Path:
    """The folder of this training's checkpoints under `work`; those of other rows or settings are removed."""
    digest = hashlib.sha256(repr(settings).encode())
    for row in rows:
        digest.update(repr(row).encode())
    place = work / digest.hexdigest()[:16]
    for stale in work.iterdir() if work.exists() else []:
        if stale != place:
            shutil.rmtree(stale)
    return place


def _last_checkpoint(place: Path) -> str | None:
    """The newest complete checkpoint; its state file is written last."""
    states = place.glob("checkpoint-*/trainer_state.json")
    newest = max(states, key=lambda state: int(state.parent.name.partition("-")[2]), default=None)
    return str(newest.parent) if newest else None
