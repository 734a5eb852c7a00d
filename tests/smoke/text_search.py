"""Search for a text in all files of a project, compressed ones included."""

import gzip
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

#: Folders that are not searched: people delete from their own input, code and git history themselves.
IGNORED_FOLDERS = ("logs", ".git", "src", "stages", "flows")


def find_files_with_text(text: str, project: Path) -> set[str]:
    """Return the files that contain the text, whatever its case.

    Tables, databases and compressed files are searched, too.
    """
    needle = text.casefold().encode()
    return {
        str(path.relative_to(project))
        for path in project.rglob("*")
        if path.is_file()
        and path.relative_to(project).parts[0] not in IGNORED_FOLDERS
        and any(needle in content.lower() for content in read_contents(path))
    }


def read_contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and those inside it.

    The first bytes tell the kind of the file, because files in DVC's cache have no extension.
    """
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
