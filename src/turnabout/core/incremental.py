"""Incremental builds: new input extends tables instead of rebuilding them.

A ledger records which units of input the tables hold and how many rows each unit added. A run keeps the rows of the
longest unchanged prefix of the input and processes the rest. The tables have the same bytes as those of a full build.
The ledger is written last and holds a hash of every file. If a run was killed or a file was changed, nothing is kept.
"""

import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import msgspec
import polars as pl

from turnabout.core.io import list_part_files, replace_when_done
from turnabout.core.parquet_parts import IncrementalTable
from turnabout.errors import DataError

#: File name of the ledger in its folder.
LEDGER = "ledger.json"

#: Counts of named things, by kind: {"rejected_by_reason": {"empty": 2}}.
Counts = Mapping[str, Mapping[str, int]]


class UnitRecord(msgspec.Struct, frozen=True):
    """State of the tables after one unit of input."""

    unit: str | None
    """Fingerprint of the unit; null if it has none (a database), in which case it is always read again."""
    n_rows: dict[str, int]
    """Cumulative number of rows of each table."""
    counts: dict[str, dict[str, int]]
    """Counts of this unit alone."""


class Ledger(msgspec.Struct, frozen=True):
    """Content of the tables on disk."""

    key: str
    """Fingerprint of everything but the input that determines the tables: settings, code, libraries."""
    files: dict[str, str]
    """SHA-256 of every file of the tables, by `table/file`."""
    records: list[UnitRecord]


class IncrementalBuild:
    """Tables that extend the rows kept from the last run.

    For each unit of input, call `add_rows` any number of times and then `finish_unit` once.
    """

    def __init__(
        self, tables: Mapping[str, IncrementalTable], old: Mapping[str, Path], kept: Sequence[UnitRecord]
    ) -> None:
        self.tables, self.marks, self.n_kept = tables, list(kept), len(kept)
        self._old = old
        self._tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, table in tables.items():
            table.continue_from(old[name], self._n_rows(name))

    def kept_rows(self, name: str) -> pl.LazyFrame:
        """Return the rows of one table that were kept from the last run."""
        n_rows = self._n_rows(name)
        rows = (
            pl.scan_parquet(list_part_files(self._old[name])) if n_rows else self.tables[name].schema.to_frame().lazy()
        )
        return rows.head(n_rows)

    def add_rows(self, tallies: Counts, **rows: pl.DataFrame) -> None:
        """Add rows to the named tables, and counts."""
        for name, frame in rows.items():
            self.tables[name].append(frame)
        for name, tally in tallies.items():
            self._tallies[name].update(tally)

    def finish_unit(self, unit: str | None) -> None:
        """Record that all rows of a unit were added."""
        n_rows = {name: table.n_rows for name, table in self.tables.items()}
        self.marks.append(
            UnitRecord(unit, n_rows, {name: dict(sorted(n.items())) for name, n in self._tallies.items()})
        )
        self._tallies.clear()

    def sum_counts(self, name: str) -> dict[str, int]:
        """Sum one kind of counts over all units; sorted by name."""
        total: Counter[str] = Counter()
        for mark in self.marks:
            total.update(mark.counts.get(name, {}))
        return dict(sorted(total.items()))

    def _n_rows(self, name: str) -> int:
        return self.marks[self.n_kept - 1].n_rows[name] if self.n_kept else 0


@contextmanager
def open_build(
    ledger: Path, key: str, units: Sequence[str | None], tables: Mapping[str, tuple[Path, pl.Schema]]
) -> Iterator[IncrementalBuild]:
    """Open new tables that start with the reusable rows of the old ones.

    When the block ends without an error the new tables replace the old ones, and the ledger is written last. `ledger`
    is a JSON file; `units` are the fingerprints of all input in order of arrival; `tables` gives path and schema.
    """
    kept = list(_unchanged_records(ledger, key, units, tables))
    paths = {name: path for name, (path, _) in tables.items()}
    for path in (ledger, *paths.values()):
        for left_by_a_killed_run in path.parent.glob(f".{path.name}.*.tmp"):
            shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    with ExitStack() as stack:
        new_ledger = stack.enter_context(replace_when_done(ledger))
        fresh = {
            name: IncrementalTable(stack.enter_context(replace_when_done(path)), schema)
            for name, (path, schema) in tables.items()
        }
        growth = IncrementalBuild(fresh, paths, kept)
        yield growth
        for table in fresh.values():
            table.close()
        written = Ledger(key, _hash_files({name: table.path for name, table in fresh.items()}), growth.marks)
        new_ledger.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n")


def build_key(settings: str, code: Iterable[Path], libraries: Iterable[str]) -> str:
    """Return the key of a ledger: a hash of settings, code and library versions.

    `settings` is text, `code` are files or folders, `libraries` are names of installed packages.
    """
    parts = [settings, *(f"{library} {version(library)}" for library in libraries)]
    for path in code:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        parts += [f"{file.name} {hash_file(file)}" for file in files if file.is_file() and file.suffix != ".pyc"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hex.

    Raises `FileNotFoundError` if the file is missing and `DataError` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; check its permissions and the disk") from error


def _unchanged_records(
    ledger: Path, key: str, units: Sequence[str | None], tables: Mapping[str, tuple[Path, pl.Schema]]
) -> Iterator[UnitRecord]:
    """Yield the records of the longest unchanged prefix of the input."""
    try:
        old = msgspec.json.decode(ledger.read_bytes(), type=Ledger)
        is_as_written = old.key == key and old.files == _hash_files({name: path for name, (path, _) in tables.items()})
    except (FileNotFoundError, ValueError):  # no ledger or not a whole one, or a table is gone (`DataError` is one)
        return
    if not is_as_written:
        return
    pairs = zip(old.records, units, strict=False)
    yield from (mark for mark, _ in takewhile(lambda pair: pair[1] is not None and pair[0].unit == pair[1], pairs))


def _hash_files(tables: Mapping[str, Path]) -> dict[str, str]:
    return {f"{name}/{file.name}": hash_file(file) for name, path in tables.items() for file in list_part_files(path)}
