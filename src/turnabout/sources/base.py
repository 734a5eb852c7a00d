"""The seam every log format implements: a source is read piece by piece, in bounded batches of messages and rejects."""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import polars as pl

from turnabout.core.config import Section


class Batch(NamedTuple):
    """A bounded part of a log: rows of `schemas.MESSAGES`, and rows of `schemas.QUARANTINE` for what was rejected.

    A conversation stands whole in one batch, its messages together and in order.
    """

    messages: pl.DataFrame
    quarantine: pl.DataFrame


class Piece(NamedTuple):
    """A part of a log that can be read alone: one file, or all of a place that is no file (`path` null)."""

    name: str
    path: Path | None
    beside: tuple[Path, ...] = ()
    """Further files that its reading takes: where they change, it must be read again."""


class Source(Section):
    """One log format at one place. `format` is the key of the method in `params.yaml`."""

    format: str
    is_live: ClassVar[bool] = False
    """Whether it reads what DVC cannot watch (a database, a tracking store): the flow then reads it at every run."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether a record looks like one of this format, by its keys; False where the format is not one of records."""
        return False

    @abstractmethod
    def pieces(self) -> list[Piece]:
        """The pieces in order of arrival, the oldest first. Raises `DataError` where the place is not there."""

    @abstractmethod
    def batches(self, piece: Piece) -> Iterator[Batch]:
        """One piece in bounded batches: always the same, in the same order, while the piece is the same."""

    def inputs(self) -> list[str]:
        """Paths or globs it reads, so that DVC can be told to watch them; none for a log that a package ships."""
        return []
