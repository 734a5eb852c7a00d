"""Stage: one arm's preference pairs in; the assistant trained on them, as an adapter on its policy, out."""

import sys
from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_csv, write_json
from turnabout.models import checkpoints
from turnabout.models.context_length import check_context
from turnabout.params import Params, load_params
from turnabout.training.assistant.train import save_adapter, train_assistant
from turnabout.training.engine.loop import WORK, Settings


def main(
    arm: str,
    pairs: Path,
    policy: Path,
    assistant: Path,
    metrics: Path,
    curve: Path,
    params: Path = Path("params.yaml"),
) -> None:
    from turnabout.tracking import live_curve

    loaded = load_params(params)
    knobs = loaded.train_assistant
    settings, gate = training_settings(loaded, arm, checkpoints.fingerprint(policy))
    checkpoint = checkpoints.load(policy, loaded.backbone.dtype, merged=True)
    check_context(checkpoint, {"train_assistant.max_length": knobs.max_length})
    trained = train_assistant(
        checkpoint,
        read_frame(pairs, schemas.PAIRS),
        loaded.arm(arm).train.loss,
        knobs.max_length,
        knobs.lora_rank,
        settings,
        gate,
        knobs.gate_pairs,
        WORK / "train_assistant" / arm,
        [live_curve()],
    )
    if "reason" in trained.metrics:
        print(f"train_assistant@{arm}: {trained.metrics['reason']}", file=sys.stderr)
    save_adapter(trained.model, policy, assistant)
    write_csv(trained.history, curve)
    write_json(trained.metrics, metrics)


def training_settings(params: Params, arm: str, policy: str) -> tuple[Settings, Settings]:
    """The settings of an arm's training and of its gate; `policy` is the fingerprint of the model it starts from."""
    knobs, training = params.train_assistant, params.arm(arm).train
    settings = Settings(
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=knobs.batch_size,
        seed=params.seed,
        bf16=params.backbone.dtype == "bfloat16",
        start=f"{policy} rank {knobs.lora_rank} {training.loss.model_dump_json()}",
    )
    gate = settings._replace(
        learning_rate=knobs.gate_learning_rate, schedule="constant", epochs=knobs.gate_steps, max_steps=knobs.gate_steps
    )
    return settings, gate


if __name__ == "__main__":
    command(main)
