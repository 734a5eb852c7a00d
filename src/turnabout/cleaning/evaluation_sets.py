"""Texts of evaluation sets, from the formats of logs and from plain text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnabout.errors import DataError
from turnabout.sources.reading.records import log_files, records


def evaluation_texts(path: str, field: str | None = None) -> list[str]:
    """Every string of an evaluation set, in order; of each record only those under `field` where one is given.

    `path` is a file, folder or glob as for logs, or a .txt file with one text a line. Raises `DataError` where there
    is no file, a record cannot be read, or no record has the field.
    """
    if Path(path).suffix == ".txt":
        if not Path(path).is_file():
            raise DataError(f"evaluation set '{path}': no such file; mend the path in params.yaml")
        texts = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        return [text for text in texts if text.strip()]
    texts = []
    for file in log_files(path):
        for record in records(file):
            if record.fault is not None:
                raise DataError(f"evaluation set '{path}': {record.where}: {record.fault}; mend or remove that record")
            texts += strings(record.content) if field is None else named(record.content, field)
    if not texts:
        wanted = "no text" if field is None else f"no text under the field '{field}'"
        raise DataError(f"evaluation set '{path}' has {wanted}; mend the path or the field in params.yaml")
    return texts


def strings(content: Any) -> Iterator[str]:
    """Every string in a value, however deep, keys left out."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from strings(value)


def named(content: Any, field: str) -> Iterator[str]:
    """Every string under a key of that name, however deep."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from strings(value) if key == field else named(value, field)
    elif isinstance(content, list):
        for value in content:
            yield from named(value, field)
