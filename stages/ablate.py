"""Stage: train and evaluate one arm of the user model.

It is trained on its share of the data and evaluated on the test people.
"""

from pathlib import Path

import polars as pl

from stages._command import command
from stages._models import open_configured_model
from turnabout.ablations.arm import ARM_TURNS
from turnabout.ablations.evaluation import evaluate_arm
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_csv, write_frame, write_json
from turnabout.generation import Generator
from turnabout.generation.unopened import UNOPENED
from turnabout.intents.flipping import flip_conversations
from turnabout.intents.writing import write_intents
from turnabout.models.context_length import check_context
from turnabout.models.loading import open_model
from turnabout.params import load_params
from turnabout.training.engine.settings import WORK, RunContext
from turnabout.training.user_model.train import CURVE, train_user


def main(
    arm: str,
    *,
    messages: Path,
    splits: Path,
    model: Path,
    turns: Path,
    metrics: Path,
    curve: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Train and measure one arm of the user model, and write its rows."""
    import torch

    from turnabout.tracking import make_curve_callback

    loaded = load_params(params)
    entry, seed, dtype = loaded.get_user_arm(arm), loaded.seed, loaded.backbone.dtype
    assigned, log = read_frame(splits, schemas.SPLITS), read_frame(messages, schemas.MESSAGES)
    sizes = loaded.ablate.conversations
    whole = sample_conversations(assigned, {"train": sizes.train}, seed)
    share = sample_conversations(whole, {"train": max(1, round(entry.share * whole.height))}, seed)
    held_out = sample_conversations(assigned, {"validation": sizes.validation, "test": sizes.test}, seed)

    def build_samples(selected: pl.DataFrame, detail: str) -> pl.DataFrame:
        """Return the selected conversations, flipped, with intents of this detail."""
        settings = loaded.intend.model_copy(update={"detail": detail})
        generator: Generator = UNOPENED
        if detail != "none":
            generator = open_configured_model(settings.generator, model, dtype, settings.batch_size)
        conversations = log.join(selected, on="conversation_id", how="semi")
        intents = write_intents(conversations, generator, settings, seed)
        return flip_conversations(conversations, assigned, intents, mirror=False)

    # Intents are written for the whole sample, whatever the share, so that arms of one detail learn from the same
    # intents and these are paid for once.
    samples = build_samples(whole, entry.detail).join(share, on="conversation_id", how="semi")
    details = ["high_level", "full"] if entry.detail == "full" else ["high_level"]
    samples_by_detail = {detail: build_samples(held_out, detail) for detail in details}
    start = open_model(entry.start, "float32")
    options = loaded.train_user.model_copy(update={"learning_rate": entry.learning_rate, "max_tokens": None})
    check_context(start, {"train_user.max_length": options.max_length})
    trained = train_user(
        start,
        samples,
        options=options,
        run=RunContext(
            seed=seed,
            dtype=dtype,
            start=entry.start,
            work=WORK / f"ablate-{arm}",
            callbacks=[make_curve_callback()],
        ),
    )
    trained.checkpoint.model.to(getattr(torch, dtype)).eval()
    evaluation = evaluate_arm(trained.checkpoint, samples_by_detail, settings=loaded.evaluate, seed=seed)
    write_frame(evaluation.turns, turns, ARM_TURNS)
    write_csv(trained.history.select(CURVE), curve)
    write_json({**evaluation.metrics, "training": trained.metrics}, metrics)


if __name__ == "__main__":
    command(main)
