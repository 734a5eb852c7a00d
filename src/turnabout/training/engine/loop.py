"""The one adapter to `transformers.Trainer`: a pure loss and plain rows in; a trained model and its history out.

The trainer brings the optimiser, the schedule and resumable checkpoints. What a batch means stays with the caller: rows
are plain Python objects and reach the loss as they are. In several processes (`torch.distributed`, as `sharing.share`
and `accelerate launch` start them) each learns from its part of every batch: together one step, as in one process.
"""

import hashlib
import shutil
import sys
import time
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
    gradient_checkpointing: bool = False
    """Compute the layers once more for their gradient instead of keeping what they gave: less memory, more time."""


def train(
    model: "torch.nn.Module",
    rows: Sequence[Any],
    objective: Objective,
    settings: Settings,
    work: Path,
    callbacks: "Sequence[TrainerCallback]" = (),
    weight: Callable[[Sequence[Any]], float] = len,
) -> pl.DataFrame:
    """Train `model` in place; one row per step: step, loss, learning_rate, tokens so far, seconds it took, and the
    objective's metrics.

    AdamW without weight decay, gradients clipped to 1. Rows are shuffled by the seed alone. A training killed after
    `CHECKPOINT_STEPS` goes on from its last checkpoint in `work`, with the same trajectory; the folder goes when the
    training ends. `weight` says how much some rows of a batch count in its mean loss: with it several processes take
    the steps of one. Raises `ModelError` where the loss is not finite.
    """
    import torch
    from accelerate.data_loader import prepare_data_loader
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer

    class ObjectiveTrainer(Trainer):  # type: ignore[misc]
        def get_train_dataloader(self) -> Any:
            # Whole batches in every process: how the trainer itself would share them out repeats rows at the end.
            sampler = self._get_train_sampler()
            everything: Any = self.train_dataset
            whole: Any = DataLoader(everything, settings.batch_size, sampler=sampler, collate_fn=list)
            return prepare_data_loader(whole, num_processes=1, process_index=0, use_seedable_sampler=True)

        def _prepare_inputs(self, inputs: Any) -> Any:
            return inputs

        def training_step(self, *arguments: Any, **named: Any) -> Any:
            self.began = time.monotonic()
            return super().training_step(*arguments, **named)

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> "Tensor":
            n = self.args.world_size
            own = inputs[self.args.process_index :: n]
            with autocast(model, settings.bf16):
                loss, metrics = objective(model, own or inputs[:1])
            if not loss.isfinite():
                raise ModelError(
                    f"the loss is {loss.item()} at step {self.state.global_step + 1}; lower the learning rate "
                    f"({settings.learning_rate}) or look for a broken row"
                )
            if n > 1:
                tokens = torch.tensor(metrics["tokens"] if own else 0.0, device=self.args.device)
                metrics["tokens"] = self.accelerator.reduce(tokens, "sum").item()
            self.told = {"learning_rate": self._get_learning_rate(), **metrics}
            # Gradients are averaged over the processes, and so is the loss that is told.
            return loss * (n * weight(own) / weight(inputs))

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            step = {**self.told, "seconds": time.monotonic() - self.began} if "loss" in logs else {}
            super().log(logs | step, start_time)

    place = work / _digest(rows, settings)
    trainer = ObjectiveTrainer(
        model=model,
        args=_arguments(place, settings),
        train_dataset=list(rows),
        data_collator=list,  # type: ignore[arg-type]
        callbacks=[*callbacks, *_progress(), _no_last_checkpoint()],
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.is_world_process_zero():
        _remove_others(place)
    trainer.train(resume_from_checkpoint=_last_checkpoint(place))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        shutil.rmtree(work)
    history = pl.DataFrame([entry for entry in trainer.state.log_history if "loss" in entry], infer_schema_length=None)
    columns = ["step", "loss", "learning_rate", "tokens", "seconds"]
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
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
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


def _digest(rows: Sequence[Any], settings: Settings) -> str:
    """Names a training by its rows and settings."""
    digest = hashlib.sha256(repr(settings).encode())
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()[:16]


def _no_last_checkpoint() -> "TrainerCallback":
    """Without it the trainer would write a checkpoint after the last step, only for it to be removed."""
    from transformers import TrainerCallback

    class NoLastCheckpoint(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                control.should_save = False

    return NoLastCheckpoint()


def _remove_others(place: Path) -> None:
    """Remove the checkpoints of other rows or settings beside the folder of this training's."""
    for stale in place.parent.iterdir() if place.parent.exists() else []:
        if stale != place:
            shutil.rmtree(stale)


def _last_checkpoint(place: Path) -> str | None:
    """The newest complete checkpoint; its state file is written last."""
    states = place.glob("checkpoint-*/trainer_state.json")
    newest = max(states, key=lambda state: int(state.parent.name.partition("-")[2]), default=None)
    return str(newest.parent) if newest else None
