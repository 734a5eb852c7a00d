"""The seam every log format implements: a source yields batches of messages and of what it had to reject."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from turnabout.config import Section


class Batch(NamedTuple):
    """A bounded part of a log: rows of `schemas.MESSAGES`, and rows of `schemas.QUARANTINE` for what was rejected."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame


class Source(Section):
    """One log format at one place. `format` is the key of the method in `params.yaml`."""

    format: str

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """The log in bounded batches, always in the same order. Raises `DataError` where the place is not there."""

    def inputs(self) -> list[str]:
        """Paths or globs it reads, so that DVC can be told to watch them; none for a log that a package ships."""
        return []
