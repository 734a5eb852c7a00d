"""Stage: one arm's preference pairs in; its trained assistant out.

The assistant is an adapter on the arm's policy.
"""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_csv, write_json
from turnabout.core.stage_output import print_warning
from turnabout.models import checkpoints
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.training.assistant.train import save_adapter, train_assistant
from turnabout.training.engine.settings import WORK, RunContext


def main(
    arm: str,
    *,
    pairs: Path,
    policy: Path,
    assistant: Path,
    metrics: Path,
    curve: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Train the assistant of one arm, and write adapter, curve and metrics."""
    from turnabout.tracking import make_curve_callback

    loaded = load_params(params)
    training, options = loaded.get_arm(arm).train, loaded.train_assistant
    run = RunContext(
        seed=loaded.seed,
        dtype=loaded.backbone.dtype,
        start=checkpoints.hash_folder(policy),
        work=WORK / "train_assistant" / arm,
        callbacks=[make_curve_callback()],
    )
    checkpoint = checkpoints.load_checkpoint(policy, run.dtype, merged=True)
    check_context(checkpoint, {"train_assistant.max_length": options.max_length})
    trained = train_assistant(checkpoint, read_frame(pairs, schemas.PAIRS), options=options, training=training, run=run)
    if "reason" in trained.metrics:
        print_warning(trained.metrics["reason"])
    save_adapter(trained.model, policy, assistant)
    write_csv(trained.history, curve)
    write_json(trained.metrics, metrics)


if __name__ == "__main__":
    command(main)
