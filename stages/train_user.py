"""Stage: flipped conversations in; the user language model out."""

from pathlib import Path

from stages._command import command
from stages._training import settings_of
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_csv, write_json
from turnabout.errors import ConfigError
from turnabout.models import checkpoints
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.training.engine.distributed import is_first, n_started, share
from turnabout.training.engine.loop import WORK
from turnabout.training.user_model.train import CURVE, save_user, train_user


def main(
    samples: Path, model: Path, user: Path, metrics: Path, curve: Path, params: Path = Path("params.yaml")
) -> None:
    from turnabout.tracking import live_curve

    loaded = load_params(params)
    knobs = loaded.train_user
    if n_started() == 1 < knobs.processes:
        share(main, [samples, model, user, metrics, curve, params], knobs.processes)
        return
    if n_started() != knobs.processes:
        raise ConfigError(f"train_user.processes: {knobs.processes}, but {n_started()} were started; make them equal")
    settings = settings_of(knobs, loaded.seed, loaded.backbone.dtype, checkpoints.fingerprint(model))
    checkpoint = checkpoints.load(model, "float32")
    check_context(checkpoint, {"train_user.max_length": knobs.max_length})
    trained = train_user(
        checkpoint,
        read_frame(samples, schemas.USER_SAMPLES),
        knobs.max_length,
        knobs.max_tokens,
        settings,
        WORK / "train_user",
        [live_curve()] if is_first() else [],
        knobs.packing,
        knobs.lora_rank,
        knobs.sampled_softmax,
    )
    if is_first():
        save_user(trained.checkpoint, user)
        write_csv(trained.history.select(CURVE), curve)
        write_json(trained.metrics, metrics)


if __name__ == "__main__":
    command(main)
