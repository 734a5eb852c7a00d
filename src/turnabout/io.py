"""Tables, metrics and text as files: atomic writes, schemas checked on the way in and out."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from turnabout import schemas
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
    """The table at `path`, checked against `schema`. Raises `DataError` where it is absent or of another shape."""
    if not path.exists():
        raise DataError(f"{path}: no such table; run the stage that writes it (`dvc repro` brings all up to date)")
    return schemas.check(pl.read_parquet(path), schema, str(path))


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
