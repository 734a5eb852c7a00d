"""A training loss seen in MLflow while the stage still runs."""

import os
from typing import TYPE_CHECKING, Any

from turnabout.tracking.store import bookkeeping

if TYPE_CHECKING:
    from transformers import TrainerCallback


def live_curve() -> "TrainerCallback":
    """A callback for `training.loop` that logs each step's `loss` and `tokens_per_second` to a run of MLflow.

    That is the run in `MLFLOW_RUN_ID`. Where it is unset (no flow around the stage) it does nothing: the loss is
    recorded from the stage's plot later. The first failure of the store is told and ends the live curve; the rest of
    the loss comes from the plot, too. The speed is live alone; the stage's own figures have its mean.
    """
    from transformers import TrainerCallback

    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        return TrainerCallback()
    run = run_id

    class LiveCurve(TrainerCallback):
        works = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Log this step's loss and speed, where the step has a loss."""
            if self.works and logs and "loss" in logs:
                told = {"loss": float(logs["loss"]), "tokens_per_second": logs["tokens"] / logs["seconds"]}
                self.works = False  # a server that is down costs its patience once, not at every step
                with bookkeeping("the live curve of the training"):
                    _log(run, told, state.global_step)
                    self.works = True

    return LiveCurve()


def _log(run: str, told: dict[str, float], step: int) -> None:
    import time

    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    MlflowClient().log_batch(run, metrics=[Metric(name, value, now, step) for name, value in told.items()])
