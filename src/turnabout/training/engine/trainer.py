"""Adapter to `transformers.Trainer` for an objective on plain rows.

This module imports torch and transformers at the top; import it only where a training starts.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, RandomSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from turnabout.errors import ModelError
from turnabout.training.engine.settings import Objective, TrainingSettings, autocast


class ObjectiveTrainer(Trainer):  # type: ignore[misc]
    """A trainer that passes rows to the objective unchanged.

    Rows are plain Python objects. `weight` is how much some rows of a batch count in its mean loss. With it several
    processes, which share each batch, take the same steps as one process.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        rows: Sequence[Any],
        *,
        objective: Objective,
        settings: TrainingSettings,
        arguments: TrainingArguments,
        callbacks: Sequence[TrainerCallback],
        weight: Callable[[Sequence[Any]], float],
    ) -> None:
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=list(rows),
            data_collator=list,  # type: ignore[arg-type]
            callbacks=[*callbacks, *_build_progress_bar(), NoLastCheckpoint()],
        )
        self.remove_callback(PrinterCallback)
        self.row_objective = objective
        self.settings = settings
        self.weight = weight
        self.step_metrics: dict[str, Any] = {}
        self.step_began = 0.0

    def get_train_dataloader(self) -> Any:
        """Return whole batches in every process.

        The trainer's own way of sharing batches among processes repeats rows at the end of an epoch.
        """
        rows: Any = self.train_dataset
        loader: Any = DataLoader(rows, self.settings.batch_size, sampler=RandomSampler(rows), collate_fn=list)
        return prepare_data_loader(loader, num_processes=1, process_index=0, use_seedable_sampler=True)

    def _prepare_inputs(self, inputs: Any) -> Any:
        return inputs

    def training_step(self, *arguments: Any, **keywords: Any) -> Any:
        """Take one step and note when it began."""
        self.step_began = time.monotonic()
        return super().training_step(*arguments, **keywords)

    def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> torch.Tensor:
        """Return the scaled loss of this process's rows.

        The mean over all processes is the loss of the batch. Raises `ModelError` where it is not finite.
        """
        n_processes = self.args.world_size
        own_rows = inputs[self.args.process_index :: n_processes]
        with autocast(model, self.settings.bf16):
            loss, metrics = self.row_objective(model, own_rows or inputs[:1])
        if not loss.isfinite():
            raise ModelError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}; lower the learning rate "
                f"({self.settings.learning_rate}) or look for a broken row"
            )
        if n_processes > 1:
            tokens = torch.tensor(metrics["tokens"] if own_rows else 0.0, device=self.args.device)
            metrics["tokens"] = self.accelerator.reduce(tokens, "sum").item()
        scheduler: Any = self.lr_scheduler
        self.step_metrics = {"learning_rate": scheduler.get_last_lr()[0], **metrics}
        # Gradients are averaged over the processes, and so is the logged loss.
        return loss * (n_processes * self.weight(own_rows) / self.weight(inputs))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the objective's metrics and the step's seconds to the log."""
        step: dict[str, Any] = {}
        if "loss" in logs:
            step = {**self.step_metrics, "seconds": time.monotonic() - self.step_began}
        super().log(logs | step, start_time)


class NoLastCheckpoint(TrainerCallback):  # type: ignore[misc]
    """Skip the checkpoint after the last step, which would be removed at once."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Cancel saving at the last step."""
        if state.global_step >= state.max_steps:
            control.should_save = False


class LossProgressBar(ProgressCallback):  # type: ignore[misc]
    """A progress bar with rate, time left and the last loss."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the last loss."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}")


class OneDeviceArguments(TrainingArguments):  # type: ignore[misc]
    """Arguments for one device per process.

    With several GPUs in one process, the trainer would give each of them `batch_size` rows and wrap the model: another
    training than the settings describe.
    """

    @property
    def n_gpu(self) -> int:
        """Number of GPUs the trainer may use in this process: 0 or 1."""
        return min(super().n_gpu, 1)


def build_arguments(folder: Path, settings: TrainingSettings, checkpoint_steps: int) -> TrainingArguments:
    """Return the trainer's arguments.

    Checkpoints go to `folder`, one every `checkpoint_steps` steps.
    """
    return OneDeviceArguments(
        output_dir=str(folder),
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
        save_steps=checkpoint_steps,
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def _build_progress_bar() -> list[TrainerCallback]:
    """Return a progress bar on a terminal, else nothing."""
    return [LossProgressBar()] if sys.stderr.isatty() else []
