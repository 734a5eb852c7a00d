"""Stage: logs and their feedback in, the tables of all augmenters out."""

from functools import partial
from pathlib import Path

from stages._command import command
from stages._models import open_checkpoint_generator, open_configured_model
from turnabout.augment import AUGMENTERS
from turnabout.augment.base import AugmentContext, AugmentInputs, count_yield, run_augmenters
from turnabout.core import schemas
from turnabout.core.conversations import drop_test_split
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.feedback.judged_replies import limit_per_split, select_criticised_replies
from turnabout.params import Params, load_params


def main(
    *,
    messages: Path,
    splits: Path,
    feedback: Path,
    model: Path,
    user: Path,
    tables: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Run the augmenters; write `NAME.parquet` of each into `tables`."""
    loaded = load_params(params)
    settings = loaded.augment
    kept_splits = drop_test_split(read_frame(splits, schemas.SPLITS))
    kept_messages = read_frame(messages, schemas.MESSAGES).join(
        kept_splits, on="conversation_id", how="semi", maintain_order="left"
    )
    kept_feedback = read_frame(feedback, schemas.FEEDBACK).join(kept_splits, on="conversation_id", how="semi")
    criticised = select_criticised_replies(kept_messages, kept_splits, kept_feedback, settings.weak)
    limited = limit_per_split(criticised, settings.max_replies)
    inputs = AugmentInputs(
        messages=kept_messages,
        splits=kept_splits,
        feedback=kept_feedback,
        criticised=limited,
        tables={name: augmenter.table_schema.to_frame() for name, augmenter in AUGMENTERS.items()},
    )
    written = run_augmenters(settings.augmenters, inputs, open_context(loaded, model, user))
    for name, augmenter in AUGMENTERS.items():
        write_frame(written[name], tables / f"{name}.parquet", augmenter.table_schema)
    yields = {name: count_yield(table) for name, table in written.items()}
    for configured in settings.augmenters:
        yields[configured.writes] |= configured.compute_metrics(written[configured.writes])
    write_json({"n_criticised": criticised.height, "n_replies": limited.height, **yields}, metrics)


def open_context(params: Params, model: Path, user: Path) -> AugmentContext:
    """Open the stage's model; other models are opened on request."""
    settings, dtype = params.augment, params.backbone.dtype
    open_model = partial(open_configured_model, folder=model, dtype=dtype, batch_size=settings.batch_size)
    return AugmentContext(
        generator=open_model(settings.generator),
        max_prompt_tokens=settings.max_prompt_tokens,
        max_new_tokens=settings.max_new_tokens,
        seed=params.seed,
        open_model=open_model,
        open_user=partial(open_checkpoint_generator, user, dtype=dtype, speaks="user", batch_size=settings.batch_size),
    )


if __name__ == "__main__":
    command(main)
