"""Write a sample of exchanges for people to judge, or read their judgements back.

Without --read it writes labels/label.html (or labels/to_label.csv with --csv): what the annotator has not judged yet of
the exchanges drawn so far, and a new sample where nothing is left. Never a test conversation.
"""

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path("labels")


def add_arguments(options: argparse.ArgumentParser) -> None:
    """How many, as what, by whom; or what to read."""
    options.add_argument("--size", type=int, default=200, metavar="N", help="exchanges of a new sample (default 200)")
    options.add_argument("--csv", action="store_true", help="a table to fill in, instead of a page")
    options.add_argument("--annotator", metavar="NAME", help="who judges (default: your user name)")
    options.add_argument("--read", type=Path, metavar="FILE", help="merge filled-in CSV into labels/feedback.csv")


def execute(size: int, csv: bool, annotator: str | None, read: Path | None) -> int:
    """Write or read; status 0."""
    from turnabout.errors import ConfigError
    from turnabout.pipeline.project import find_root

    if size < 1:
        raise ConfigError(f"--size: {size} is not a number of exchanges; give 1 or more")
    file = None if read is None else read.resolve()
    root, judge = find_root(Path.cwd()), annotator or _own_name()
    if file is not None:
        _read(root, file, judge)
    else:
        _write(root, size, csv, judge)
    return 0


def _own_name() -> str:
    from turnabout.errors import ConfigError

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigError("this machine knows no name for you; say who judges by --annotator NAME") from error


def _read(root: Path, file: Path, annotator: str) -> None:
    from turnabout.core import schemas
    from turnabout.core.io import write_csv
    from turnabout.labels.tables import LABELS_FILE, SAMPLE_FILE, merge_labels, read_judgements, read_labels, read_csv_table

    target = root / FOLDER / LABELS_FILE
    sample = read_csv_table(root / FOLDER / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    new = read_judgements(file, sample, annotator)
    labels = merge_labels(read_labels(target), new)
    write_csv(labels, target)
    print(
        f"{new.height} judgements read, {labels.height} in {target}. `turnabout run mine` measures the miners by them."
    )


def _write(root: Path, size: int, csv: bool, annotator: str) -> None:
    from turnabout.core import schemas
    from turnabout.core.io import write_csv, write_text
    from turnabout.labels.page import build_form, render_page
    from turnabout.labels.sampling import EXCHANGE, select_unjudged
    from turnabout.labels.tables import LABELS_FILE, SAMPLE_FILE, read_labels, read_csv_table

    target = root / FOLDER / ("to_label.csv" if csv else "label.html")
    sample = read_csv_table(root / FOLDER / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    labels = read_labels(root / FOLDER / LABELS_FILE)
    if csv:
        _keep_unread(target, labels)
    candidates = _candidates(root)
    open_ones = select_unjudged(sample, labels, annotator).join(candidates, on=EXCHANGE, how="semi")
    if open_ones.is_empty():
        open_ones = _draw(root, candidates, sample, size)
        write_csv(sample.vstack(open_ones), root / FOLDER / SAMPLE_FILE)
    exchanges = _texts(root, open_ones)
    if csv:
        write_csv(build_form(exchanges, annotator), target)
    else:
        write_text(render_page(exchanges, annotator), target)
    print(f"{exchanges.height} exchanges for {annotator} to judge: {target}")
    print("Then `turnabout label --read FILE`, with the CSV that was exported or filled in.")


def _keep_unread(table: Path, labels: "pl.DataFrame") -> None:
    """Raise `DataError` where somebody's judgements in the table to fill in would be written over."""
    from turnabout.errors import DataError
    from turnabout.labels.tables import count_unread

    if n_unread := count_unread(table, labels):
        raise DataError(
            f"{n_unread} judgements in {table} were not read; run `turnabout label --read {table}` or move it away"
        )


def _candidates(root: Path) -> "pl.DataFrame":
    """The exchanges with a follow-up, of train and validation."""
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import build_exchanges
    from turnabout.core.io import read_batches, read_frame
    from turnabout.labels.sampling import EXCHANGE

    splits = read_frame(root / "data" / "splits.parquet", schemas.SPLITS)
    held = splits.filter(pl.col("split").is_in(["train", "validation"]))
    parts = [
        build_exchanges(messages.join(held, on="conversation_id", how="semi")).drop_nulls("follow_up").select(EXCHANGE)
        for messages in read_batches(root / "data" / "messages", schemas.MESSAGES)
    ]
    return pl.concat(parts)


def _draw(root: Path, candidates: "pl.DataFrame", sample: "pl.DataFrame", size: int) -> "pl.DataFrame":
    """A new sample of the candidates. Raises `DataError` where none is left."""
    from turnabout.core import schemas
    from turnabout.core.io import read_frame
    from turnabout.errors import DataError
    from turnabout.labels.sampling import draw_sample
    from turnabout.params import load_params

    feedback = read_frame(root / "data" / "feedback.parquet", schemas.FEEDBACK)
    drawn = draw_sample(candidates, feedback, sample, size, load_params(root / "params.yaml").seed)
    if drawn.is_empty():
        raise DataError(f"nothing is left to judge: all {candidates.height} exchanges with a follow-up were drawn")
    return drawn


def _texts(root: Path, wanted: "pl.DataFrame") -> "pl.DataFrame":
    """The drawn exchanges with both sides' words, in an order that mixes strata and conversations."""
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import build_exchanges, rank_by_hash
    from turnabout.core.io import read_batches
    from turnabout.labels.sampling import EXCHANGE

    parts = [
        build_exchanges(messages.join(wanted, on="conversation_id", how="semi")).join(wanted, on=EXCHANGE)
        for messages in read_batches(root / "data" / "messages", schemas.MESSAGES)
    ]
    return pl.concat(parts).sort(rank_by_hash(0, *EXCHANGE), *EXCHANGE)
