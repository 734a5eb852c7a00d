"""Stage: logs and the feedback in them in; what augmenters wrote about them, kept or dropped with a reason, out."""

from functools import partial
from pathlib import Path

import polars as pl

from stages._command import command
from stages._models import open_author, open_generator
from turnabout.augment.base import Logs, Writing, annotations, yielded
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.feedback.judged_replies import criticised_replies, first_per_split
from turnabout.params import Params, load_params

TABLES = {
    "critiques": schemas.CRITIQUES,
    "rationales": schemas.RATIONALES,
    "ratings": schemas.RATINGS,
    "refinements": schemas.REFINEMENTS,
    "hindsights": schemas.HINDSIGHTS,
    "preferences": schemas.PREFERENCES,
    "principles": schemas.PRINCIPLES,
    "scopes": schemas.SCOPES,
}


def main(
    messages: Path,
    splits: Path,
    feedback: Path,
    model: Path,
    user: Path,
    critiques: Path,
    rationales: Path,
    ratings: Path,
    refinements: Path,
    hindsights: Path,
    preferences: Path,
    principles: Path,
    scopes: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    loaded = load_params(params)
    settings = loaded.augment
    held = read_frame(splits, schemas.SPLITS).filter(pl.col("split").is_in(["train", "validation"]))
    said = read_frame(messages, schemas.MESSAGES).join(held, on="conversation_id", how="semi", maintain_order="left")
    found = said, held, read_frame(feedback, schemas.FEEDBACK).join(held, on="conversation_id", how="semi")
    criticised = criticised_replies(*found, settings.weak)
    chosen = first_per_split(criticised, settings.max_replies)
    nothing = {name: schema.to_frame() for name, schema in TABLES.items()}
    tables = annotations(settings.augmenters, Logs(*found, chosen, nothing), writing(loaded, model, user))
    outs = {
        "critiques": critiques,
        "rationales": rationales,
        "ratings": ratings,
        "refinements": refinements,
        "hindsights": hindsights,
        "preferences": preferences,
        "principles": principles,
        "scopes": scopes,
    }
    for name, path in outs.items():
        write_frame(tables[name], path, TABLES[name])
    more = {augmenter.writes: augmenter.figures(tables[augmenter.writes]) for augmenter in settings.augmenters}
    yields = {name: {**yielded(table), **more.get(name, {})} for name, table in tables.items()}
    write_json({"n_criticised": criticised.height, "n_replies": chosen.height, **yields}, metrics)


def writing(params: Params, model: Path, user: Path) -> Writing:
    """Who writes, opened; others are opened where they are asked for."""
    settings, dtype = params.augment, params.backbone.dtype
    open_other = partial(open_author, folder=model, dtype=dtype, batch_size=settings.batch_size)
    return Writing(
        open_other(settings.author),
        settings.max_prompt_tokens,
        settings.max_new_tokens,
        settings.batch_size,
        params.seed,
        open_other,
        partial(open_generator, user, dtype, "user", settings.batch_size),
    )


if __name__ == "__main__":
    command(main)
