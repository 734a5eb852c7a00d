"""Files: atomic writes, and tables checked against their schema."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from turnabout.core import schemas
from turnabout.errors import DataError


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block succeeds.

    If the block raises, the temporary path is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield holder / path.name
        if path.is_dir():  # a folder cannot be replaced in one step, so the old one is moved aside first
            os.replace(path, holder / "old")
        os.replace(holder / path.name, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def read_frame(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """Read the table at `path`, a file or a folder of parts.

    Raises `DataError` if it is missing or does not have `schema`.
    """
    return schemas.check(pl.read_parquet(list_part_files(path)), schema, str(path))


class RowGroup(NamedTuple):
    """One row group of a table: its part and its number in the part."""

    part: Path
    group: int


def list_batches(path: Path) -> list[RowGroup]:
    """List the row groups of a table in order.

    A row group of messages has about 20,000 rows and holds whole conversations.
    """
    return [
        RowGroup(part, group)
        for part in list_part_files(path)
        for group in range(pq.read_metadata(part).num_row_groups)
    ]


def read_batch(batch: RowGroup, schema: pl.Schema) -> pl.DataFrame:
    """Read the columns of `schema` of one row group.

    Raises `DataError` if it does not have this schema.
    """
    with pq.ParquetFile(batch.part) as file:
        rows = pl.from_arrow(file.read_row_group(batch.group, columns=list(schema)))
    return schemas.check(pl.DataFrame(rows), schema, str(batch.part))


def read_batches(path: Path, schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """Yield the row groups of a table, one at a time."""
    for batch in list_batches(path):
        yield read_batch(batch, schema)


def list_part_files(path: Path) -> list[Path]:
    """Return the Parquet files of a table in order.

    They are its parts, or the file itself. Raises `DataError` if there is none.
    """
    parts = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not parts or not parts[0].exists():
        raise DataError(f"{path}: no such table; run the stage that writes it (`dvc repro` runs all stages)")
    return parts


def write_frame(frame: pl.DataFrame, path: Path, schema: pl.Schema) -> None:
    """Check `frame` and write it as Parquet; equal rows give equal bytes."""
    with replace_when_done(path) as part:
        schemas.check(frame, schema, str(path)).write_parquet(part, compression="zstd", statistics=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object at `path`."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write an indented JSON object with its keys in the given order.

    NaN raises `ValueError`: an unknown figure is null.
    """
    with replace_when_done(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a small table of plot data as CSV."""
    with replace_when_done(path) as part:
        frame.write_csv(part)


def write_text(content: str, path: Path) -> None:
    """Write UTF-8 text."""
    with replace_when_done(path) as part:
        part.write_text(content, encoding="utf-8")
