"""The seam of every augmenter: logs and the feedback in them in, a model's checked words about them out."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import polars as pl

from turnabout.config import Section
from turnabout.generation import Generator


class Logs(NamedTuple):
    """What an augmenter may read; conversations of the test split are in none of it."""

    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    criticised: pl.DataFrame
    """`criticised.CRITICISED`: the replies worked on, at most `augment.max_replies` per split."""
    tables: Mapping[str, pl.DataFrame]
    """What augmenters named before this one wrote, by table."""


class Writing(NamedTuple):
    """Who writes, and within which limits."""

    author: Generator
    max_prompt_tokens: int
    max_new_tokens: int
    batch_size: int
    seed: int


class Augmenter(Section):
    """One kind of annotation. `writes` is the table it fills (`schemas`) and its key in `params.yaml`.

    Every row of every table says whether it is `kept` and, if not, for which `reason`: the yield is counted from them.
    """

    writes: str
    needs: ClassVar[tuple[str, ...]] = ()
    """Tables that must have been written before."""

    @abstractmethod
    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """The table, sorted; the same logs, author and seed give the same rows."""
