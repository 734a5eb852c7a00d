"""The seam every miner implements: exchanges in, signals out."""

from abc import abstractmethod
from typing import ClassVar

import polars as pl

from turnabout.config import Section


class Miner(Section):
    """One way to find feedback. `miner` is the key of the method in `params.yaml`."""

    miner: str
    version: ClassVar[str]
    """Raised whenever the same exchange may get another signal; stored with every signal."""

    @abstractmethod
    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Signals (`schemas.FEEDBACK`, any order) found in exchanges (`conversations.EXCHANGES`)."""
