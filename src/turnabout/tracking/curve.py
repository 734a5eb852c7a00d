"""A training loss seen in MLflow while the stage still runs."""

import os
from typing import TYPE_CHECKING, Any

from turnabout.tracking.store import bookkeeping

if TYPE_CHECKING:
    from transformers import TrainerCallback


def live_curve() -> "TrainerCallback":
    """A callback for a transformers trainer that logs `loss` at each logged step to the run in `MLFLOW_RUN_ID`.

    Where that is unset (no flow around the stage) it does nothing: the curve is recorded from the stage's plot later.
    The first failure of the store is told and ends the live curve; the rest of it comes from the plot, too.
    """
    from transformers import TrainerCallback

    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        return TrainerCallback()
    run = run_id

    class LiveCurve(TrainerCallback):
        works = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Log this step's loss, where the step has one."""
            if self.works and logs and "loss" in logs:
                self.works = False  # a server that is down costs its patience once, not at every step
                with bookkeeping("the live curve of the training"):
                    _log(run, float(logs["loss"]), state.global_step)
                    self.works = True

    return LiveCurve()


def _log(run_id: str, loss: float, step: int) -> None:
    from mlflow import MlflowClient

    MlflowClient().log_metric(run_id, "loss", loss, step=step)
