"""Every place of a project folder where a word is still to be found, packed or not."""

import gzip
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

#: What people bring to a project, and what git keeps: theirs to delete.
IGNORED_FOLDERS = ("logs", ".git", "src", "stages", "flows")


def find_files_with_text(text: str, project: Path) -> set[str]:
    """The files in which the word stands in any case, as bytes or inside a table, a database or a packed file."""
    needle = text.casefold().encode()
    return {
        str(path.relative_to(project))
        for path in project.rglob("*")
        if path.is_file()
        and path.relative_to(project).parts[0] not in IGNORED_FOLDERS
        and any(needle in content.lower() for content in read_contents(path))
    }


def read_contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and those inside it; the kind is told by how it begins, because DVC's cache has no names."""
    raw = path.read_bytes()
    yield raw
    if raw.startswith(b"PAR1"):
        yield repr(pl.read_parquet(raw).to_dict(as_series=False)).encode()
    elif raw.startswith(b"\x1f\x8b"):
        yield gzip.decompress(raw)
    elif raw.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif raw.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            yield "\n".join(database.iterdump()).encode("utf-8", "replace")
