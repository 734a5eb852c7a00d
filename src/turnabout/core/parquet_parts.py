"""Parquet tables written in batches with bounded memory.

The same rows in the same order always give the same files.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.parquet as pq

from turnabout.core import schemas
from turnabout.core.detached_rows import detach_rows
from turnabout.core.io import list_part_files, read_batches

#: A row group ends with the first conversation that brings it to this weight. A row weighs 1, plus 1 for each
#: `WEIGHED_BYTES` of text in it: about 20,000 messages, fewer if they are long.
GROUP_WEIGHT = 20_000
BYTES_PER_WEIGHT = 2_000

#: A part ends with the row group that brings it to this many bytes on disk; part number `MAX_PARTS` takes all the rest.
PART_BYTES = 256 * 2**20
MAX_PARTS = 64


class IncrementalTable:
    """New table that is written row group by row group.

    `path` becomes a folder of parts, or one file if it ends in `.parquet`. Rows are buffered until they fill a row
    group. The ends of row groups and parts depend only on the rows so far: not on how the rows were cut into
    batches, and not on later rows.
    """

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.path, self.schema = path, schema
        self.n_rows = 0
        self._waiting: list[pl.DataFrame] = []
        self._weight = 0
        self._n_parts = 0
        self._writer: pq.ParquetWriter | None = None
        self._file: pa.NativeFile | None = None
        self._in_parts = path.suffix != ".parquet"
        if self._in_parts:
            path.mkdir(parents=True)

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows; rows of messages must be whole conversations."""
        rows = schemas.check(rows, self.schema, self.path.name)
        if rows.is_empty():
            return
        self.n_rows += rows.height
        self._waiting.append(detach_rows(rows))
        self._weight += int(rows.select(_row_weight().sum()).item())
        if self._weight >= GROUP_WEIGHT:
            self._write_groups()

    def continue_from(self, old: Path, n_rows: int) -> None:
        """Start with the first `n_rows` of an older table of this kind.

        Full parts become hard links; the rest is copied.
        """
        parts = list_part_files(old) if n_rows else []
        while (number := self._n_parts) < len(parts) - 1:
            height = pq.read_metadata(parts[number]).num_rows
            if self.n_rows + height > n_rows:
                break
            _link_or_copy(parts[number], self._part(number))
            self.n_rows, self._n_parts = self.n_rows + height, number + 1
        for group in read_batches(parts[self._n_parts], self.schema) if self.n_rows < n_rows else ():
            self.append(group.head(n_rows - self.n_rows))

    def close(self) -> None:
        """Write the buffered rows. An empty table is one file without rows."""
        if self._waiting or not self._n_parts:
            self._write_group(pl.concat([self.schema.to_frame(), *self._waiting]))
            self._waiting = []
        self._end_part()

    def _part(self, number: int) -> Path:
        return self.path / f"part-{number:02}.parquet" if self._in_parts else self.path

    def _write_groups(self) -> None:
        """Write every full row group; the remaining rows stay in the buffer."""
        rows = pl.concat(self._waiting, rechunk=True)
        begins = pl.col("message_index") == 0 if "message_index" in self.schema else pl.repeat(True, pl.len())
        starts = rows.select(begins=begins, weight=_row_weight().cum_sum())
        ends = np.append(np.flatnonzero(starts["begins"])[1:], rows.height)
        weights = starts["weight"].to_numpy()[ends - 1]
        start, base = 0, 0
        while (at := int(np.searchsorted(weights, base + GROUP_WEIGHT))) < len(ends):
            self._write_group(rows[start : ends[at]])
            start, base = int(ends[at]), int(weights[at])
        self._waiting, self._weight = (
            [detach_rows(rows[start:])] if start < rows.height else [],
            int(weights[-1]) - base,
        )

    def _write_group(self, rows: pl.DataFrame) -> None:
        if self._writer is None or self._file is None:
            self._file = pa.OSFile(str(self._part(self._n_parts)), "wb")
            self._writer = pq.ParquetWriter(self._file, _to_arrow(self.schema.to_frame()).schema, compression="zstd")
            self._n_parts += 1
        self._writer.write_table(_to_arrow(rows), row_group_size=max(rows.height, 1))
        if self._in_parts and self._file.tell() >= PART_BYTES and self._n_parts < MAX_PARTS:
            self._end_part()

    def _end_part(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
        self._writer = self._file = None


def hash_row_groups(table: Path) -> list[str]:
    """Return the SHA-256 of each row group of a table, in order.

    Row groups with equal rows have equal hashes.
    """
    return [digest for part in list_part_files(table) for digest in _hash_row_groups_of_part(part)]


def _hash_row_groups_of_part(part: Path) -> Iterator[str]:
    metadata = pq.read_metadata(part)
    with part.open("rb") as file:
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            chunks = [group.column(column) for column in range(group.num_columns)]
            first = chunks[0]
            file.seek(first.dictionary_page_offset if first.has_dictionary_page else first.data_page_offset)
            yield hashlib.sha256(file.read(sum(chunk.total_compressed_size for chunk in chunks))).hexdigest()


def _link_or_copy(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without hard links
        shutil.copyfile(old, new)


def _row_weight() -> pl.Expr:
    n_bytes = pl.sum_horizontal(pl.repeat(0, pl.len(), dtype=pl.UInt32), cs.string().str.len_bytes())
    return 1 + n_bytes.cast(pl.Int64) // BYTES_PER_WEIGHT


def _to_arrow(rows: pl.DataFrame) -> pa.Table:
    return rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
