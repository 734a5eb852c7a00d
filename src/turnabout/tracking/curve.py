"""A training loss seen in MLflow while the stage still runs."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import TrainerCallback


def live_curve() -> "TrainerCallback":
    """A callback for a transformers trainer that logs `loss` at each logged step to the run in `MLFLOW_RUN_ID`.

    Where that is unset (no flow around the stage) it does nothing: the curve is recorded from the stage's plot later.
    """
    from transformers import TrainerCallback

    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        return TrainerCallback()
    from mlflow import MlflowClient

    client, run = MlflowClient(), run_id

    class LiveCurve(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Log this step's loss, where the step has one."""
            if logs and "loss" in logs:
                client.log_metric(run, "loss", float(logs["loss"]), step=state.global_step)

    return LiveCurve()
