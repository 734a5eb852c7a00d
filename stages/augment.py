"""Stage: replies that drew dissatisfaction in; critiques and rationales of them, kept or dropped with a reason, out."""

from pathlib import Path

import polars as pl

from stages._command import command
from stages._models import open_generator
from turnabout import schemas
from turnabout.augment.base import Logs, Writing
from turnabout.criticised import criticised_replies, first_per_split
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params

TABLES = {"critiques": schemas.CRITIQUES, "rationales": schemas.RATIONALES}


def main(
    messages: Path,
    splits: Path,
    feedback: Path,
    model: Path,
    critiques: Path,
    rationales: Path,
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
    tables = {name: pl.DataFrame(schema=schema) for name, schema in TABLES.items()}
    if chosen.height:
        author = open_generator(model, loaded.backbone.dtype, "assistant", settings.batch_size)
        limits = settings.max_prompt_tokens, settings.max_new_tokens, settings.batch_size
        for augmenter in settings.augmenters:
            written = augmenter.annotate(Logs(*found, chosen, tables), Writing(author, *limits, loaded.seed))
            tables[augmenter.writes] = written
    for name, path in {"critiques": critiques, "rationales": rationales}.items():
        write_frame(tables[name], path, TABLES[name])
    yields = {name: counts(table) for name, table in tables.items()}
    write_json({"n_criticised": criticised.height, "n_replies": chosen.height, **yields}, metrics)


def counts(table: pl.DataFrame) -> dict[str, int | dict[str, int]]:
    """Rows, rows kept, and how many were dropped for each reason."""
    reasons = table.drop_nulls("reason").group_by("reason").len().sort("reason")
    return {"n": table.height, "kept": int(table["kept"].sum()), "dropped_by_reason": dict(reasons.iter_rows())}


if __name__ == "__main__":
    command(main)
