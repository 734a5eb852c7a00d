"""Stage: flipped conversations in; the user language model out."""

from pathlib import Path

from stages._command import command
from turnabout import backbones, schemas
from turnabout.io import read_frame, write_csv, write_json
from turnabout.params import load_params
from turnabout.training.loop import WORK, Settings
from turnabout.training.user import save_user, train_user


def main(
    samples: Path, model: Path, user: Path, metrics: Path, curve: Path, params: Path = Path("params.yaml")
) -> None:
    from turnabout.tracking import live_curve

    loaded = load_params(params)
    knobs = loaded.train_user
    settings = Settings(
        learning_rate=knobs.learning_rate,
        epochs=knobs.epochs,
        batch_size=knobs.batch_size,
        seed=loaded.seed,
        bf16=loaded.backbone.dtype == "bfloat16",
        start=backbones.fingerprint(model),
        warmup=knobs.warmup,
    )
    trained = train_user(
        backbones.load(model, "float32"),
        read_frame(samples, schemas.USER_SAMPLES),
        knobs.max_length,
        knobs.max_tokens,
        settings,
        WORK / "train_user",
        [live_curve()],
    )
    save_user(trained.checkpoint, user)
    write_csv(trained.history.select("step", "loss", "learning_rate", "tokens"), curve)
    write_json(trained.metrics, metrics)


if __name__ == "__main__":
    command(main)
