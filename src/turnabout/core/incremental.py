"""Stages that work only on what is new: a ledger says which input the tables hold, and how many rows of each it made.

A run keeps what the longest unchanged beginning of the input made and works on the rest. Its tables have the same bytes
as those of a run from nothing. The ledger is written last and holds a hash of every file: where a run was killed, or a
file is not as it was written, nothing is kept.
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

from turnabout.core.io import part_files, replacing
from turnabout.core.parquet_parts import GrowingTable
from turnabout.errors import DataError

#: The ledger's file in the folder for it.
LEDGER = "ledger.json"

#: Counts by name, by what is counted: {"rejected_by_reason": {"empty": 2}}.
Tallies = Mapping[str, Mapping[str, int]]


class Mark(msgspec.Struct, frozen=True):
    """Where the tables stood when one unit of input was done."""

    unit: str | None
    """Its fingerprint; null for what cannot be told apart (a database) and is always read again."""
    n_rows: dict[str, int]
    """Rows of each table, with those of the units before."""
    tallies: dict[str, dict[str, int]]
    """What this unit alone added."""


class Ledger(msgspec.Struct, frozen=True):
    """What the tables on disk hold."""

    key: str
    """Fingerprint of all that shapes the tables but is no input: settings, code, libraries."""
    files: dict[str, str]
    """SHA-256 of every file of the tables, by name of the table and of the file."""
    marks: list[Mark]


class Growth:
    """Tables that grow beyond what was kept of the last run: `add` what a unit of input gives, then `mark` it done."""

    def __init__(self, tables: Mapping[str, GrowingTable], old: Mapping[str, Path], kept: Sequence[Mark]) -> None:
        self.tables, self.marks, self.n_kept = tables, list(kept), len(kept)
        self._old = old
        self._tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, table in tables.items():
            table.continue_from(old[name], self._n_rows(name))

    def kept(self, name: str) -> pl.LazyFrame:
        """The rows of one table that were kept of the last run."""
        n_rows = self._n_rows(name)
        rows = pl.scan_parquet(part_files(self._old[name])) if n_rows else self.tables[name].schema.to_frame().lazy()
        return rows.head(n_rows)

    def add(self, tallies: Tallies, **rows: pl.DataFrame) -> None:
        """Add rows to each table named, and counts."""
        for name, frame in rows.items():
            self.tables[name].append(frame)
        for name, tally in tallies.items():
            self._tallies[name].update(tally)

    def mark(self, unit: str | None) -> None:
        """Say that everything of this unit was added."""
        n_rows = {name: table.n_rows for name, table in self.tables.items()}
        self.marks.append(Mark(unit, n_rows, {name: dict(sorted(n.items())) for name, n in self._tallies.items()}))
        self._tallies.clear()

    def tally(self, name: str) -> dict[str, int]:
        """One kind of count over all units, in order of name."""
        total: Counter[str] = Counter()
        for mark in self.marks:
            total.update(mark.tallies.get(name, {}))
        return dict(sorted(total.items()))

    def _n_rows(self, name: str) -> int:
        return self.marks[self.n_kept - 1].n_rows[name] if self.n_kept else 0


@contextmanager
def growing(
    ledger: Path, key: str, units: Sequence[str | None], tables: Mapping[str, tuple[Path, pl.Schema]]
) -> Iterator[Growth]:
    """New tables with what can be kept of the old; when the block ends well they replace the old, the ledger last.

    `ledger` is a JSON file, `units` are the fingerprints of all input in order of arrival.
    """
    kept = list(_unchanged(ledger, key, units, tables))
    paths = {name: path for name, (path, _) in tables.items()}
    for path in (ledger, *paths.values()):
        for left_by_a_killed_run in path.parent.glob(f".{path.name}.*.tmp"):
            shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    with ExitStack() as places:
        new_ledger = places.enter_context(replacing(ledger))
        fresh = {
            name: GrowingTable(places.enter_context(replacing(path)), schema) for name, (path, schema) in tables.items()
        }
        growth = Growth(fresh, paths, kept)
        yield growth
        for table in fresh.values():
            table.close()
        written = Ledger(key, _digests({name: table.path for name, table in fresh.items()}), growth.marks)
        new_ledger.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n")


def key_of(settings: str, code: Iterable[Path], libraries: Iterable[str]) -> str:
    """The key of a ledger: settings as text, files or folders of code, names of installed packages."""
    parts = [settings, *(f"{library} {version(library)}" for library in libraries)]
    for place in code:
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        parts += [f"{file.name} {sha256(file)}" for file in files if file.is_file() and file.suffix != ".pyc"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hex. Raises `DataError` where it is there but cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; check its permissions and the disk") from error


def _unchanged(
    ledger: Path, key: str, units: Sequence[str | None], tables: Mapping[str, tuple[Path, pl.Schema]]
) -> Iterator[Mark]:
    """The marks that still hold: of the longest beginning of the input that is as it was."""
    try:
        old = msgspec.json.decode(ledger.read_bytes(), type=Ledger)
        is_as_written = old.key == key and old.files == _digests({name: path for name, (path, _) in tables.items()})
    except (FileNotFoundError, ValueError):  # no ledger or not a whole one, or a table is gone (`DataError` is one)
        return
    if not is_as_written:
        return
    pairs = zip(old.marks, units, strict=False)
    yield from (mark for mark, _ in takewhile(lambda pair: pair[1] is not None and pair[0].unit == pair[1], pairs))


def _digests(tables: Mapping[str, Path]) -> dict[str, str]:
    return {f"{name}/{file.name}": sha256(file) for name, path in tables.items() for file in part_files(path)}
