"""Stage: one arm of the user model, trained on its share of the data and measured on the test people."""

from pathlib import Path

import polars as pl

from stages._command import command
from stages._models import open_author
from stages._training import settings_of
from turnabout.ablations import evaluation
from turnabout.ablations.arm import TURNS
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_csv, write_frame, write_json
from turnabout.generation.unopened import NOBODY
from turnabout.intents.flipping import flip
from turnabout.intents.writing import intents as write_intents
from turnabout.models.context_length import check_context
from turnabout.models.loading import open_model
from turnabout.params import load_params
from turnabout.training.engine.loop import WORK
from turnabout.training.user_model.train import CURVE, train_user


def main(
    arm: str,
    messages: Path,
    splits: Path,
    model: Path,
    turns: Path,
    metrics: Path,
    curve: Path,
    params: Path = Path("params.yaml"),
) -> None:
    import torch

    from turnabout.tracking import live_curve

    loaded = load_params(params)
    entry, knobs = loaded.user_arm(arm), loaded.train_user
    assigned, said = read_frame(splits, schemas.SPLITS), read_frame(messages, schemas.MESSAGES)
    wanted = loaded.ablate.conversations
    whole = sample_conversations(assigned, {"train": wanted.train}, loaded.seed)
    trained_on = sample_conversations(whole, {"train": max(1, round(entry.share * whole.height))}, loaded.seed)
    held_out = {"validation": wanted.validation, "test": wanted.test}
    measured_on = sample_conversations(assigned, held_out, loaded.seed)

    def samples(of: pl.DataFrame, detail: str) -> pl.DataFrame:
        settings = loaded.intend.model_copy(update={"detail": detail})
        opening = (settings.author, model, loaded.backbone.dtype, settings.batch_size)
        author = NOBODY if detail == "none" else open_author(*opening)
        talk = said.join(of, on="conversation_id", how="semi")
        return flip(talk, assigned, write_intents(talk, author, settings, loaded.seed), mirror=False)

    # Intents are asked for of all, whatever the share: arms of one detail learn from the same, and pay for them once.
    learnt = samples(whole, entry.detail).join(trained_on, on="conversation_id", how="semi")
    details = ["high_level", "full"] if entry.detail == "full" else ["high_level"]
    read = {detail: samples(measured_on, detail) for detail in details}
    start = open_model(entry.start, "float32")
    check_context(start, {"train_user.max_length": knobs.max_length})
    trained = train_user(
        start,
        learnt,
        knobs.max_length,
        None,
        settings_of(knobs, loaded.seed, loaded.backbone.dtype, entry.start)._replace(learning_rate=entry.learning_rate),
        WORK / f"ablate-{arm}",
        [live_curve()],
        knobs.packing,
        knobs.lora_rank,
        knobs.sampled_softmax,
    )
    trained.checkpoint.model.to(getattr(torch, loaded.backbone.dtype)).eval()
    how = loaded.evaluate
    reading = evaluation.Reading(how.max_length, how.ending_length, how.batch_size, how.resamples, loaded.seed)
    figures = evaluation.measure(trained.checkpoint, read, reading)
    write_frame(figures.turns, turns, TURNS)
    write_csv(trained.history.select(CURVE), curve)
    write_json({**figures.metrics, "training": trained.metrics}, metrics)


if __name__ == "__main__":
    command(main)
