"""Tables, metrics and text as files: atomic writes, schemas checked on the way in and out."""

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
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield holder / path.name
        if path.is_dir():  # a folder cannot be replaced in one step: the old one is whole until it is aside
            os.replace(path, holder / "old")
        os.replace(holder / path.name, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def read_frame(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """The table at `path`, a file or a folder of parts, checked against `schema`.

    Raises `DataError` where it is absent or of another shape.
    """
    return schemas.check(pl.read_parquet(part_files(path)), schema, str(path))


class Batch(NamedTuple):
    """One row group of a table: a part and its number in it."""

    part: Path
    group: int


def batches_of(path: Path) -> list[Batch]:
    """The row groups of a table of messages, in order: about 20,000 rows each, a conversation whole in one."""
    return [Batch(part, group) for part in part_files(path) for group in range(pq.read_metadata(part).num_row_groups)]


def read_batch(batch: Batch, schema: pl.Schema) -> pl.DataFrame:
    """One row group with the columns of `schema` alone. Raises `DataError` where it is of another shape."""
    with pq.ParquetFile(batch.part) as file:
        rows = pl.from_arrow(file.read_row_group(batch.group, columns=list(schema)))
    return schemas.check(pl.DataFrame(rows), schema, str(batch.part))


def read_batches(path: Path, schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """A table by its row groups, one at a time."""
    for batch in batches_of(path):
        yield read_batch(batch, schema)


def part_files(path: Path) -> list[Path]:
    """The Parquet files of a table in order: its parts, or itself. Raises `DataError` where there is none."""
    parts = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not parts or not parts[0].exists():
        raise DataError(f"{path}: no such table; run the stage that writes it (`dvc repro` brings all up to date)")
    return parts


def write_frame(frame: pl.DataFrame, path: Path, schema: pl.Schema) -> None:
    """Write `frame` as Parquet after checking it; the same rows give the same bytes."""
    with replacing(path) as part:
        schemas.check(frame, schema, str(path)).write_parquet(part, compression="zstd", statistics=True)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object at `path`."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a JSON object, indented, keys in the order given. NaN is refused: a figure that is not known is null."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a small table of plot data as CSV."""
    with replacing(path) as part:
        frame.write_csv(part)


def write_text(content: str, path: Path) -> None:
    """Write UTF-8 text."""
    with replacing(path) as part:
        part.write_text(content, encoding="utf-8")
