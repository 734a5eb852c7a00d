"""Readers for the texts of evaluation sets, from log formats and plain text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnabout.errors import DataError
from turnabout.sources.reading.records import list_log_files, read_records


def read_evaluation_texts(path: str, field: str | None = None) -> list[str]:
    """Return the strings of an evaluation set, in order.

    `path` is a file, folder or glob as for logs, or a .txt file with one text a line. With `field`, only the strings
    under that key of each record are returned. Raises `DataError` if there is no file, a record cannot be read, or no
    record has the field.
    """
    if Path(path).suffix == ".txt":
        if not Path(path).is_file():
            raise DataError(f"evaluation set '{path}': no such file; correct the path in params.yaml")
        texts = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        return [text for text in texts if text.strip()]
    texts = []
    for file in list_log_files(path):
        for record in read_records(file):
            if record.error is not None:
                raise DataError(
                    f"evaluation set '{path}': {record.location}: {record.error}; correct or remove that record"
                )
            texts += iterate_strings(record.content) if field is None else iterate_field_strings(record.content, field)
    if not texts:
        wanted = "no text" if field is None else f"no text under the field '{field}'"
        raise DataError(f"evaluation set '{path}' has {wanted}; correct the path or the field in params.yaml")
    return texts


def iterate_strings(content: Any) -> Iterator[str]:
    """Yield every string in a value, at any depth, without the keys."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from iterate_strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from iterate_strings(value)


def iterate_field_strings(content: Any, field: str) -> Iterator[str]:
    """Yield every string under a key named `field`, at any depth."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from iterate_strings(value) if key == field else iterate_field_strings(value, field)
    elif isinstance(content, list):
        for value in content:
            yield from iterate_field_strings(value, field)
