"""The training loss in MLflow while a stage runs."""

import os
from typing import TYPE_CHECKING, Any

from turnabout.tracking.store import warn_on_failure

if TYPE_CHECKING:
    from transformers import TrainerCallback


def make_curve_callback() -> "TrainerCallback":
    """Return a callback that logs loss and speed of each step to MLflow.

    The metrics are `loss`, `tokens_per_second` and, on a GPU, `peak_gpu_memory_mb`. The run is that in
    `MLFLOW_RUN_ID`. If it is unset (the stage runs outside the flow) the callback does nothing, and the loss is
    recorded from the stage's plot later. The first failure of the store is logged as a warning and ends the live
    curve; the remaining points come from the plot. Speed and memory differ from run to run, so they are logged here
    alone and are in no file of the stage.
    """
    from transformers import TrainerCallback

    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        return TrainerCallback()
    run = run_id

    class LiveCurve(TrainerCallback):
        works = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Log loss and speed of a step that has a loss."""
            if self.works and logs and "loss" in logs:
                speed = {"tokens_per_second": logs["tokens"] / logs["seconds"]}
                values = {"loss": float(logs["loss"]), **speed, **_measure_gpu_memory()}
                self.works = False  # so that a server that is down costs one timeout, not one per step
                with warn_on_failure("the live curve of the training"):
                    _log_point(run, values, state.global_step)
                    self.works = True

    return LiveCurve()


def _measure_gpu_memory() -> dict[str, float]:
    """Return the peak that torch has allocated on a GPU, in 10⁶ bytes."""
    import torch

    return {"peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6} if torch.cuda.is_available() else {}


def _log_point(run: str, values: dict[str, float], step: int) -> None:
    import time

    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    MlflowClient().log_batch(run, metrics=[Metric(name, value, now, step) for name, value in values.items()])
