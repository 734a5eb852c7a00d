"""The interface of every log format.

A source lists its pieces and reads each piece as conversations and rejected records, in bounded batches.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from turnabout.core.config import Section
from turnabout.errors import ConfigError, DataError
from turnabout.sources.table.batches import Batch, SuggestFormat, collect_batches
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject


class Piece(NamedTuple):
    """A part of a log that can be read alone.

    It is one file, or the whole of a log that is no file, such as a database (`path` null).
    """

    name: str
    path: Path | None
    further_files: tuple[Path, ...] = ()
    """Other files that are needed to read the piece: when they change, it must be read again."""


class Source(Section):
    """Settings of one log in one format.

    `format` is the key of the method in `params.yaml`.
    """

    format: str
    is_live: ClassVar[bool] = False
    """Whether DVC cannot watch the log (a database, a tracking store). The flow then reads it at every run."""
    record_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys that a record of this format may have. They decide between several formats that recognise a record."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record looks like one of this format, by its keys.

        False for formats that are not made of records.
        """
        return False

    @classmethod
    def count_known_keys(cls, content: Any) -> int:
        """Return how many keys of a record are in `record_keys`."""
        return len(cls.record_keys & content.keys()) if isinstance(content, dict) else 0

    @abstractmethod
    def list_pieces(self) -> list[Piece]:
        """Return the pieces in order of arrival, the oldest first.

        Raises `DataError` where the log does not exist.
        """

    @abstractmethod
    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of one piece.

        They are the same, in the same order, as long as the piece is the same.
        """

    def read_batches(self, piece: Piece, suggest_format: SuggestFormat | None = None) -> Iterator[Batch]:
        """Yield one piece in bounded batches, as `collect_batches` builds them."""
        return collect_batches(self.read_piece(piece), self.format, suggest_format)

    def list_inputs(self) -> list[str]:
        """Return the paths or globs that DVC must watch.

        There are none for a log that a package ships.
        """
        return []


def list_all_pieces(sources: Iterable[Source], watch: Path) -> list[tuple[Source, Piece]]:
    """Return every piece with its source, in the order of the sources.

    Nothing is read. Raises `ConfigError` for a source outside `watch` and `DataError` for a path without a file.
    """
    pieces: list[tuple[Source, Piece]] = []
    for source in sources:
        _refuse_unwatched(source, watch)
        pieces += [(source, piece) for piece in source.list_pieces()]
        for path in source.list_inputs():
            if not glob(path, recursive=True):
                raise DataError(f"ingest.sources: {source.format} reads '{path}', which does not exist; correct it")
    return pieces


def _refuse_unwatched(source: Source, watch: Path) -> None:
    """Raise `ConfigError` for a source outside `watch`.

    DVC notices new logs only there.
    """
    for path in source.list_inputs():
        if not Path(path).resolve().is_relative_to(watch.resolve()):
            raise ConfigError(
                f"ingest.sources: {source.format} reads '{path}', which is not inside ingest.watch '{watch}'; DVC "
                f"watches only that, so new logs would go unnoticed: move the logs there or set ingest.watch to "
                f"a folder that holds them"
            )
