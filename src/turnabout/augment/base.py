"""The interface of every augmenter: logs and their feedback in, a table out."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import polars as pl

from turnabout.core.config import Section
from turnabout.generation import Generator
from turnabout.generation.config import ModelConfig
from turnabout.generation.unopened import UNOPENED

#: Columns that say who wrote a row, and whether it is kept.
OUTCOME = pl.Schema({"model": pl.String(), "prompt_version": pl.String(), "kept": pl.Boolean(), "reason": pl.String()})


class AugmentInputs(NamedTuple):
    """The tables that an augmenter may read.

    Conversations of the test split are in none of them.
    """

    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    criticised: pl.DataFrame
    """The replies to annotate (`judged_replies.CRITICISED_REPLIES`), at most `augment.max_replies` per split."""
    tables: Mapping[str, pl.DataFrame]
    """The tables of the augmenters named before this one, by name."""


class AugmentContext(NamedTuple):
    """The models that write annotations, and their limits."""

    generator: Generator
    max_prompt_tokens: int
    max_new_tokens: int
    seed: int
    open_model: Callable[[ModelConfig], Generator] = lambda _: UNOPENED
    """Opens another model than the stage's, as named in an augmenter's own settings."""
    open_user: Callable[[], Generator] = lambda: UNOPENED
    """Opens the model of `augment.user`, which speaks as the user.

    A reply is scored by how likely this model finds a follow-up to it.
    """


class Augmenter(Section):
    """One kind of annotation.

    Every row of every table says whether it is `kept` and, if not, for which `reason`. The yield is counted from these
    columns.
    """

    writes: str
    """Name of the table that it fills, and its key in `params.yaml`."""
    table_schema: ClassVar[pl.Schema]
    """Schema of the table. The name `schema` is taken by pydantic."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the tables that must have been written before."""

    def calls_per_reply(self) -> int:
        """Return the most model calls that it makes for one criticised reply.

        `turnabout plan` multiplies by this number.
        """
        return 1

    def calls_by_other_models(self) -> list[tuple[ModelConfig, int]]:
        """Return the share of `calls_per_reply` that other models answer.

        Each entry is a model named in the augmenter's own settings, and its calls for one reply.
        """
        return []

    def max_fixed_calls(self) -> int | None:
        """Return the most calls that do not depend on the criticised replies.

        They go to the stage's own model. None where the log decides their number.
        """
        return 0

    def max_answer_tokens(self, max_new_tokens: int) -> int:
        """Return the most tokens of one answer.

        The stage allows `max_new_tokens`.
        """
        return max_new_tokens

    @abstractmethod
    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return the table, sorted.

        The same inputs, model and seed give the same rows.
        """

    def compute_metrics(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return metrics of the table that the stage reports beside its yield."""
        return {}


def run_augmenters(
    augmenters: Sequence[Augmenter], inputs: AugmentInputs, context: AugmentContext
) -> dict[str, pl.DataFrame]:
    """Run the augmenters in order; return every table by name.

    Tables that no augmenter writes stay as they are in `inputs`.
    """
    tables = dict(inputs.tables)
    for augmenter in augmenters:
        tables[augmenter.writes] = augmenter.annotate(inputs._replace(tables=tables), context)
    return tables


def build_outcome(context: AugmentContext, prompt_version: str, reason: str | None) -> dict[str, Any]:
    """Return the columns `OUTCOME` of one row.

    A row without a `reason` against it is kept.
    """
    return {
        "model": context.generator.name,
        "prompt_version": prompt_version,
        "kept": reason is None,
        "reason": reason,
    }


def count_yield(table: pl.DataFrame) -> dict[str, Any]:
    """Return the number of rows, of rows kept, and of rows dropped by reason."""
    reasons = table.filter(~pl.col("kept")).group_by("reason").len().sort("reason")
    return {"n": table.height, "kept": int(table["kept"].sum()), "dropped_by_reason": dict(reasons.iter_rows())}
