"""Files of logs as records, one at a time: JSON lines, JSON, CSV and Parquet, plain or packed by gzip or zstd."""

import csv
import glob
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from turnabout.errors import DataError
from turnabout.sources.reading import json_list
from turnabout.sources.reading.packing import UNREADABLE, Stream, opened

#: What a file name may end in, before `.gz`, `.zst` or nothing.
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")

#: A record longer than this, in bytes, is rejected unread: nobody's conversation is that long, and memory is bounded.
MAX_RECORD = 64 * 2**20


class Record(NamedTuple):
    """One record of a file: where it stands (`name:line` or `name:row`), and its content or why it has none."""

    where: str
    content: Any
    fault: str | None
    excerpt: str
    """The first 200 characters as they stand in the file; nothing where that is no text."""


def log_files(place: str) -> list[Path]:
    """Files of a glob, or of a folder and its subfolders, by name. Raises `DataError` where there is none."""
    found = sorted(Path(place).rglob("*") if Path(place).is_dir() else map(Path, glob.glob(place, recursive=True)))
    files = [path for path in found if path.is_file() and suffix(path) in SUFFIXES]
    if not files:
        raise DataError(
            f"ingest.sources: path '{place}' holds no log file; give a file, a glob such as logs/*.jsonl or a folder "
            f"with files named {', '.join(SUFFIXES)}, also packed as .gz or .zst"
        )
    return files


def suffix(path: Path) -> str:
    """The ending that tells the format, without a packing's own."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return Path(name).suffix


def records(path: Path) -> Iterator[Record]:
    """Every record of one file in order. What cannot be decoded is a record with a `fault`, whatever it is."""
    readers = {".csv": _csv_rows, ".json": _json_values}
    try:
        if suffix(path) == ".parquet":
            yield from _parquet_rows(path)
        else:
            with opened(path) as stream:
                yield from readers.get(suffix(path), _json_lines)(stream, path.name)
    except (*UNREADABLE, csv.Error, pa.ArrowException) as error:
        told = str(error).partition("\n")[0]
        yield Record(path.name, None, f"the rest of the file cannot be read: {told}", "")


def decoded(text: bytes, where: str) -> Record:
    """One JSON text as a record."""
    excerpt = text[:800].decode("utf-8", "replace").strip()[:200]
    try:
        return Record(where, msgspec.json.decode(text), None, excerpt)
    except RecursionError:
        return Record(where, None, "broken JSON: nested too deeply", excerpt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Record(where, None, f"broken JSON: {_without_place(error)}", excerpt)


def _without_place(error: Exception) -> str:
    """What is wrong without the byte where, so that equal faults are counted together."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return re.split(r" \(byte | - at ", str(error).removeprefix("JSON is malformed: "))[0]


def _too_long(head: bytes, where: str) -> Record:
    excerpt = head[:800].decode("utf-8", "replace")[:200]
    return Record(where, None, f"longer than {MAX_RECORD // 2**20} MB", excerpt)


def _lines(stream: Stream) -> Iterator[bytes]:
    """Lines without a byte order mark; of one that is too long, as much as shows it."""
    while line := stream.readline(MAX_RECORD + 1):
        yield line.removeprefix(BOM_UTF8)
        while len(line) > MAX_RECORD and not line.endswith(b"\n"):
            line = stream.readline(MAX_RECORD + 1)


def _json_lines(stream: Stream, name: str) -> Iterator[Record]:
    return _decoded_lines(_lines(stream), name)


def _decoded_lines(lines: Iterator[bytes], name: str) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_RECORD:
            yield _too_long(line, f"{name}:{number}")
        elif line.strip():
            yield decoded(line, f"{name}:{number}")


def _json_values(stream: Stream, name: str) -> Iterator[Record]:
    """The items of a list, read as they come; else the lines, where the first is a value; else the one value."""
    if stream.peek(3).startswith(BOM_UTF8):
        stream.read(3)
    while stream.peek(1)[:1].isspace():
        stream.read(1)
    if stream.peek(1).startswith(b"["):
        for number, item in enumerate(json_list.items(stream, MAX_RECORD)):
            yield decoded(item, f"{name}:[{number}]")
        return
    first = next(lines := _lines(stream), b"")
    if len(first) > MAX_RECORD or decoded(first, name).fault is None:
        yield from _decoded_lines(chain([first], lines), name)
    elif first:
        text = first + stream.read(MAX_RECORD)
        yield decoded(text, name) if len(text) <= MAX_RECORD else _too_long(text, name)


def _csv_rows(stream: Stream, name: str) -> Iterator[Record]:
    """Rows as objects of their header's names; an empty cell is null."""
    csv.field_size_limit(MAX_RECORD)
    rows = csv.reader(_csv_lines(stream), strict=True)
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
            yield _csv_row(header, cells, f"{name}:{rows.line_num}")


def _csv_row(header: list[str], cells: list[str], where: str) -> Record:
    text = ",".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Record(where, None, "broken CSV: not UTF-8", text[:200].encode("utf-8", "replace").decode())
    if len(cells) != len(header):
        return Record(where, None, f"broken CSV: {len(cells)} cells, the header has {len(header)}", text[:200])
    return Record(where, {key: cell or None for key, cell in zip(header, cells, strict=True)}, None, text[:200])


def _csv_lines(stream: Stream) -> Iterator[str]:
    """Lines; a byte that is no UTF-8 becomes a surrogate, by which its row is known."""
    for line in _lines(stream):
        if len(line) > MAX_RECORD:
            raise EOFError(f"a line is longer than {MAX_RECORD // 2**20} MB")
        yield line.decode("utf-8", "surrogateescape")


def _parquet_rows(path: Path) -> Iterator[Record]:
    number = 0
    for batch in pq.ParquetFile(path, buffer_size=2**20).iter_batches(batch_size=256):
        for content, fault in _rows(batch):
            number += 1
            yield Record(f"{path.name}:row {number}", content, fault, "")


def _rows(batch: pa.RecordBatch) -> list[tuple[Any, str | None]]:
    """Rows of a batch, each with its fault if it has one: text that is no UTF-8, a time that Python has not."""
    try:
        return [(row, None) for row in batch.to_pylist()]
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            return [(None, f"broken Parquet: {error}")]
        return [row for index in range(batch.num_rows) for row in _rows(batch.slice(index, 1))]
