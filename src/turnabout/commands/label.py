"""Write a sample of exchanges for people to judge, or read judgements.

Without --read it writes labels/label.html, or labels/to_label.csv with --csv. They hold the exchanges drawn so far that
the annotator has not judged yet; if none is left, a new sample is drawn. Conversations of the test split are never
drawn.

Examples:
  turnabout label --size 100
  turnabout label --read labels-ann.csv
"""

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path("labels")


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the size, form and annotator of a sample, and the file to read."""
    options.epilog = "example: turnabout label --size 100, later turnabout label --read labels-ann.csv"
    options.add_argument("--size", type=int, default=200, metavar="N", help="exchanges of a new sample (default: 200)")
    options.add_argument("--csv", action="store_true", help="write a table to fill in instead of a page")
    options.add_argument("--annotator", metavar="NAME", help="person who judges (default: your user name)")
    options.add_argument("--read", type=Path, metavar="FILE", help="merge a filled-in CSV into labels/feedback.csv")


def execute(*, size: int, csv: bool, annotator: str | None, read: Path | None) -> int:
    """Write a sample or read judgements; return status 0."""
    from turnabout.errors import ConfigError
    from turnabout.pipeline.project import find_root

    if size < 1:
        raise ConfigError(f"--size: {size} is not a number of exchanges; give 1 or more")
    file = None if read is None else read.resolve()
    root, name = find_root(Path.cwd()), annotator or _get_user_name()
    if file is not None:
        _read_judgements(root, file, name)
    else:
        _write_sample(root, size=size, csv=csv, annotator=name)
    return 0


def _get_user_name() -> str:
    from turnabout.errors import ConfigError

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigError("this machine has no user name for you; name the annotator with --annotator NAME") from error


def _read_judgements(root: Path, file: Path, annotator: str) -> None:
    from turnabout.core import schemas
    from turnabout.core.io import write_csv
    from turnabout.labels.tables import (
        LABELS_FILE,
        SAMPLE_FILE,
        merge_labels,
        read_csv_table,
        read_judgements,
        read_labels,
    )

    target = root / FOLDER / LABELS_FILE
    sample = read_csv_table(root / FOLDER / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    new = read_judgements(file, sample, annotator)
    labels = merge_labels(read_labels(target), new)
    write_csv(labels, target)
    print(f"{new.height} judgements read, {labels.height} in {target}.")
    print("`turnabout run mine` measures the miners by them.")


def _write_sample(root: Path, *, size: int, csv: bool, annotator: str) -> None:
    """Write the exchanges that the annotator has not judged.

    If none is left, a new sample is drawn.
    """
    from turnabout.core import schemas
    from turnabout.core.conversations import REPLY_KEY
    from turnabout.core.io import write_csv, write_text
    from turnabout.labels.page import build_form, render_page
    from turnabout.labels.sampling import select_unjudged
    from turnabout.labels.tables import LABELS_FILE, SAMPLE_FILE, read_csv_table, read_labels

    target = root / FOLDER / ("to_label.csv" if csv else "label.html")
    sample = read_csv_table(root / FOLDER / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    labels = read_labels(root / FOLDER / LABELS_FILE)
    if csv:
        _refuse_unread(target, labels)
    candidates = _load_candidates(root)
    unjudged = select_unjudged(sample, labels, annotator).join(candidates, on=REPLY_KEY, how="semi")
    if unjudged.is_empty():
        unjudged = _draw_new_sample(root, candidates, sample, size)
        write_csv(sample.vstack(unjudged), root / FOLDER / SAMPLE_FILE)
    exchanges = _load_texts(root, unjudged)
    if csv:
        write_csv(build_form(exchanges, annotator), target)
    else:
        write_text(render_page(exchanges, annotator), target)
    print(f"{exchanges.height} exchanges for {annotator} to judge: {target}")
    print("Then run `turnabout label --read FILE` with the CSV that was exported or filled in.")


def _refuse_unread(table: Path, labels: "pl.DataFrame") -> None:
    """Raise `DataError` if the table has judgements that were not read.

    Writing the table would destroy them.
    """
    from turnabout.errors import DataError
    from turnabout.labels.tables import count_unread

    if n_unread := count_unread(table, labels):
        raise DataError(
            f"{n_unread} judgements in {table} were not read; run `turnabout label --read {table}` or move it away"
        )


def _load_candidates(root: Path) -> "pl.DataFrame":
    """Return the train and validation exchanges with a follow-up.

    The only columns are `REPLY_KEY`.
    """
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import REPLY_KEY, build_exchanges, drop_test_split
    from turnabout.core.io import read_batches, read_frame

    splits = drop_test_split(read_frame(root / "data" / "splits.parquet", schemas.SPLITS))
    parts = []
    for messages in read_batches(root / "data" / "messages", schemas.MESSAGES):
        exchanges = build_exchanges(messages.join(splits, on="conversation_id", how="semi"))
        parts.append(exchanges.drop_nulls("follow_up").select(REPLY_KEY))
    return pl.concat(parts)


def _draw_new_sample(root: Path, candidates: "pl.DataFrame", sample: "pl.DataFrame", size: int) -> "pl.DataFrame":
    """Draw a new sample. Raises `DataError` where no candidate is left."""
    from turnabout.core import schemas
    from turnabout.core.io import read_frame
    from turnabout.errors import DataError
    from turnabout.labels.sampling import draw_sample
    from turnabout.params import load_params

    feedback = read_frame(root / "data" / "feedback.parquet", schemas.FEEDBACK)
    drawn = draw_sample(candidates, feedback, sample, size=size, seed=load_params(root / "params.yaml").seed)
    if drawn.is_empty():
        raise DataError(f"nothing is left to judge: all {candidates.height} exchanges with a follow-up were drawn")
    return drawn


def _load_texts(root: Path, drawn: "pl.DataFrame") -> "pl.DataFrame":
    """Return the drawn exchanges with their texts.

    The order, by a hash, mixes strata and conversations.
    """
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import REPLY_KEY, build_exchanges, rank_by_hash
    from turnabout.core.io import read_batches

    parts = []
    for messages in read_batches(root / "data" / "messages", schemas.MESSAGES):
        exchanges = build_exchanges(messages.join(drawn, on="conversation_id", how="semi"))
        parts.append(exchanges.join(drawn, on=REPLY_KEY))
    return pl.concat(parts).sort(rank_by_hash(0, *REPLY_KEY), *REPLY_KEY)
