"""The pieces of all sources of the stage `ingest`."""

from collections.abc import Iterable
from glob import glob
from pathlib import Path

from turnabout.errors import ConfigError, DataError
from turnabout.sources.base import Piece, Source


def list_all_pieces(sources: Iterable[Source], watch: Path) -> list[tuple[Source, Piece]]:
    """Return every piece with its source, in the order of the sources.

    Nothing is read. Raises `ConfigError` for a source outside `watch` and `DataError` for a path without a file.
    """
    pieces: list[tuple[Source, Piece]] = []
    for source in sources:
        _check_inputs(source, watch)
        pieces += [(source, piece) for piece in source.list_pieces()]
    return pieces


def _check_inputs(source: Source, watch: Path) -> None:
    """Raise an error for an input that DVC does not watch or that does not exist."""
    for path in source.list_inputs():
        if not Path(path).resolve().is_relative_to(watch.resolve()):
            raise ConfigError(
                f"ingest.sources: {source.format} reads '{path}', which is not inside ingest.watch '{watch}'; DVC "
                f"watches only that, so new logs would go unnoticed: move the logs there or set ingest.watch to "
                f"a folder that holds them"
            )
        if not glob(path, recursive=True):
            raise DataError(f"ingest.sources: {source.format} reads '{path}', which does not exist; correct the path")
