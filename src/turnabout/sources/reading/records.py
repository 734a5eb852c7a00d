"""Files of logs as records, one at a time.

Records are read from JSON lines, JSON, CSV and Parquet; the first three may be packed by gzip or zstd.
"""

import csv
import glob
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from turnabout.errors import DataError
from turnabout.sources.reading import json_list
from turnabout.sources.reading.packing import UNREADABLE, Stream, open_unpacked

#: Endings of file names that are read, before `.gz`, `.zst` or nothing.
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")

#: Why a file named as JSON lines is rejected that is a JSON list.
ONE_DOCUMENT = "this is one JSON document; rename it to .json"

#: End of the error of JSON that goes on after the line.
UNFINISHED = "Input data was truncated"

#: Longest record that is read, in bytes. No conversation is that long, and the limit bounds memory.
MAX_RECORD = 64 * 2**20


class Record(NamedTuple):
    """One record of a file: its content, or the error for which it has none."""

    location: str
    """`name:line` or `name:row`."""
    content: Any
    error: str | None
    excerpt: str
    """The first 200 characters as they stand in the file; empty where they are no text."""


def list_log_files(path: str) -> list[Path]:
    """Return the log files at a path, in order of name.

    The path is a file, a glob, or a folder, which includes its subfolders. Raises `DataError` where there is none.
    """
    paths = sorted(Path(path).rglob("*") if Path(path).is_dir() else map(Path, glob.glob(path, recursive=True)))
    files = [file for file in paths if file.is_file() and format_suffix(file) in SUFFIXES]
    if not files:
        raise DataError(
            f"ingest.sources: path '{path}' holds no log file; give a file, a glob such as logs/*.jsonl or a folder "
            f"with files named {', '.join(SUFFIXES)}, also packed as .gz or .zst"
        )
    return files


def format_suffix(path: Path) -> str:
    """Return the ending that names the format, without `.gz` or `.zst`."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return Path(name).suffix


def read_records(path: Path) -> Iterator[Record]:
    """Yield every record of one file in order.

    What cannot be decoded, a part of the file or all of it, is a record with an `error`.
    """
    readers = {".csv": _read_csv, ".json": _read_json}
    try:
        if format_suffix(path) == ".parquet":
            yield from _read_parquet(path)
        else:
            with open_unpacked(path) as stream:
                yield from readers.get(format_suffix(path), _read_json_lines)(stream, path.name)
    except (*UNREADABLE, csv.Error, pa.ArrowException) as error:
        message = str(error).partition("\n")[0]
        yield Record(path.name, None, f"the rest of the file cannot be read: {message}", "")


def decode_json(text: bytes, location: str) -> Record:
    """Return one JSON text as a record."""
    excerpt = text[:800].decode("utf-8", "replace").strip()[:200]
    try:
        return Record(location, msgspec.json.decode(text), None, excerpt)
    except RecursionError:
        return Record(location, None, "broken JSON: nested too deeply", excerpt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Record(location, None, f"broken JSON: {_describe_json_error(error)}", excerpt)


def _describe_json_error(error: Exception) -> str:
    """Return the message of an error without the position.

    So equal errors are counted together.
    """
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return re.split(r" \(byte | - at ", str(error).removeprefix("JSON is malformed: "))[0]


def _reject_long_record(head: bytes, location: str) -> Record:
    excerpt = head[:800].decode("utf-8", "replace")[:200]
    return Record(location, None, f"longer than {MAX_RECORD // 2**20} MB", excerpt)


def _read_lines(stream: Stream) -> Iterator[bytes]:
    """Yield lines without a byte order mark.

    Of a line longer than `MAX_RECORD` only the first `MAX_RECORD + 1` bytes are given.
    """
    while line := stream.readline(MAX_RECORD + 1):
        yield line.removeprefix(BOM_UTF8)
        while len(line) > MAX_RECORD and not line.endswith(b"\n"):
            line = stream.readline(MAX_RECORD + 1)


def _read_json_lines(stream: Stream, name: str) -> Iterator[Record]:
    """Yield the lines as records.

    A JSON list over several lines, or as the only line, is one record with an error: each of its lines would be one.
    """
    lines = (line for line in enumerate(_read_lines(stream), start=1) if line[1].strip())
    head = list(islice(lines, 1))
    if head and head[0][1].lstrip().startswith(b"["):
        first = decode_json(head[0][1], name)
        head += islice(lines, 1)
        if len(head) == 1 or (first.error is not None and first.error.endswith(UNFINISHED)):
            yield first._replace(content=None, error=ONE_DOCUMENT)
            return
    yield from _decode_lines(chain(head, lines), name)


def _decode_lines(lines: Iterable[tuple[int, bytes]], name: str) -> Iterator[Record]:
    for number, line in lines:
        if len(line) > MAX_RECORD:
            yield _reject_long_record(line, f"{name}:{number}")
        elif line.strip():
            yield decode_json(line, f"{name}:{number}")


def _read_json(stream: Stream, name: str) -> Iterator[Record]:
    """Yield the records of a `.json` file.

    They are the items of a list, one at a time; else the lines, if the first is a whole value; else the one value.
    """
    if stream.peek(3).startswith(BOM_UTF8):
        stream.read(3)
    while stream.peek(1)[:1].isspace():
        stream.read(1)
    if stream.peek(1).startswith(b"["):
        for number, item in enumerate(json_list.split_items(stream, MAX_RECORD)):
            yield decode_json(item, f"{name}:[{number}]")
        return
    first = next(lines := _read_lines(stream), b"")
    if len(first) > MAX_RECORD or decode_json(first, name).error is None:
        yield from _decode_lines(enumerate(chain([first], lines), start=1), name)
    elif first:
        text = first + stream.read(MAX_RECORD)
        yield decode_json(text, name) if len(text) <= MAX_RECORD else _reject_long_record(text, name)


def _read_csv(stream: Stream, name: str) -> Iterator[Record]:
    """Yield rows as objects, keyed by the names of the header.

    An empty cell is null.
    """
    csv.field_size_limit(MAX_RECORD)
    rows = csv.reader(_decode_csv_lines(stream), strict=True)
    header = next(rows, [])
    if len(set(header)) < len(header):
        raise csv.Error(f"the header names a column twice: {header}")
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            yield Record(f"{name}:{rows.line_num}", None, f"broken CSV: {error}", "")
            continue
        if cells is None:
            return
        if cells:
            yield _build_csv_record(header, cells, f"{name}:{rows.line_num}")


def _build_csv_record(header: list[str], cells: list[str], location: str) -> Record:
    text = ",".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Record(location, None, "broken CSV: not UTF-8", text[:200].encode("utf-8", "replace").decode())
    if len(cells) != len(header):
        return Record(location, None, f"broken CSV: {len(cells)} cells, the header has {len(header)}", text[:200])
    return Record(location, {key: cell or None for key, cell in zip(header, cells, strict=True)}, None, text[:200])


def _decode_csv_lines(stream: Stream) -> Iterator[str]:
    """Yield lines as text.

    A byte that is not UTF-8 becomes a surrogate, by which its row is later recognised as broken.
    """
    for line in _read_lines(stream):
        if len(line) > MAX_RECORD:
            raise EOFError(f"a line is longer than {MAX_RECORD // 2**20} MB")
        yield line.decode("utf-8", "surrogateescape")


def _read_parquet(path: Path) -> Iterator[Record]:
    number = 0
    for batch in pq.ParquetFile(path, buffer_size=2**20).iter_batches(batch_size=256):
        for content, error in _list_rows(batch):
            number += 1
            yield Record(f"{path.name}:row {number}", content, error, "")


def _list_rows(batch: pa.RecordBatch) -> list[tuple[Any, str | None]]:
    """Return the rows of a batch, each with its error if it has one.

    Errors are text that is not UTF-8 and times that Python cannot hold. A batch with an error is read row by row.
    """
    try:
        return [(row, None) for row in batch.to_pylist()]
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            return [(None, f"broken Parquet: {error}")]
    rows: list[tuple[Any, str | None]] = []
    for index in range(batch.num_rows):
        rows += _list_rows(batch.slice(index, 1))
    return rows
