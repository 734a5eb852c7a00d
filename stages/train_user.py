"""Stage: flipped conversations in; the user language model out."""

from functools import partial
from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_csv, write_json
from turnabout.errors import ConfigError
from turnabout.models import checkpoints
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.training.engine.distributed import count_started_processes, is_first_process, run_in_processes
from turnabout.training.engine.settings import WORK, RunContext
from turnabout.training.user_model.train import CURVE, save_user, train_user


def main(
    samples: Path, *, model: Path, user: Path, metrics: Path, curve: Path, params: Path = Path("params.yaml")
) -> None:
    """Train the user model, and write it with its curve and metrics."""
    from turnabout.tracking import make_curve_callback

    loaded = load_params(params)
    options = loaded.train_user
    n_started = count_started_processes()
    if n_started == 1 < options.processes:
        work = partial(main, samples, model=model, user=user, metrics=metrics, curve=curve, params=params)
        run_in_processes(work, options.processes)
        return
    if n_started != options.processes:
        raise ConfigError(f"train_user.processes: {options.processes}, but {n_started} were started; make them equal")
    run = RunContext(
        seed=loaded.seed,
        dtype=loaded.backbone.dtype,
        start=checkpoints.hash_folder(model),
        work=WORK / "train_user",
        callbacks=[make_curve_callback()] if is_first_process() else [],
    )
    checkpoint = checkpoints.load_checkpoint(model, "float32")
    check_context(checkpoint, {"train_user.max_length": options.max_length})
    trained = train_user(checkpoint, read_frame(samples, schemas.USER_SAMPLES), options=options, run=run)
    if is_first_process():
        save_user(trained.checkpoint, user)
        write_csv(trained.history.select(CURVE), curve)
        write_json(trained.metrics, metrics)


if __name__ == "__main__":
    command(main)
