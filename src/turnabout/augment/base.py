"""The seam of every augmenter: logs and the feedback in them in, a model's checked words about them out."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import polars as pl

from turnabout.core.config import Section
from turnabout.generation import Generator
from turnabout.generation.config import Author
from turnabout.generation.unopened import NOBODY


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
    open_author: Callable[[Author], Generator] = lambda _: NOBODY
    """Opens another author than the stage's, as an augmenter's own settings name it."""
    open_user: Callable[[], Generator] = lambda: NOBODY
    """Opens the model of `augment.user`, which speaks as the user: how likely it finds a follow-up scores a reply."""


class Augmenter(Section):
    """One kind of annotation. `writes` is the table it fills (`schemas`) and its key in `params.yaml`.

    Every row of every table says whether it is `kept` and, if not, for which `reason`: the yield is counted from them.
    """

    writes: str
    needs: ClassVar[tuple[str, ...]] = ()
    """Tables that must have been written before."""

    def calls_per_reply(self) -> int:
        """Most calls of a model it makes for one criticised reply; `turnabout plan` multiplies by this."""
        return 1

    def calls_of_others(self) -> list[tuple[Author, int]]:
        """Those of `calls_per_reply` that go to authors its own settings name, and not to the stage's."""
        return []

    def calls_besides(self) -> int | None:
        """Most calls to the stage's author that do not grow with the criticised replies; None where the log decides."""
        return 0

    def longest_answer(self, max_new_tokens: int) -> int:
        """Most tokens of one answer it asks for, where the stage allows so many."""
        return max_new_tokens

    @abstractmethod
    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """The table, sorted; the same logs, author and seed give the same rows."""

    def figures(self, table: pl.DataFrame) -> dict[str, Any]:
        """Further figures of the stage's metrics about the table it wrote, next to its yield."""
        return {}


def annotations(augmenters: Sequence[Augmenter], logs: Logs, writing: Writing) -> dict[str, pl.DataFrame]:
    """Every table by name after all have written, in their order; those that nobody writes stay as in `logs`."""
    tables = dict(logs.tables)
    for augmenter in augmenters:
        tables[augmenter.writes] = augmenter.annotate(logs._replace(tables=tables), writing)
    return tables


def yielded(table: pl.DataFrame) -> dict[str, Any]:
    """Rows of an augmenter's table, rows kept, and how many were dropped for each reason."""
    reasons = table.filter(~pl.col("kept")).group_by("reason").len().sort("reason")
    return {"n": table.height, "kept": int(table["kept"].sum()), "dropped_by_reason": dict(reasons.iter_rows())}
