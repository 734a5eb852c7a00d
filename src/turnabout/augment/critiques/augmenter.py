"""Critiques: what was wrong with a reply that drew dissatisfaction.

A critique is one sentence of the stage's model by default (ILF, Scheurer et al. 2023). With `critics`, it is merged
from the units of several critics; with `revisions`, it is kept only where following it makes the reply better
(MultiCritique, arXiv 2410.15287).
"""

from typing import Any, ClassVar, Literal

import msgspec
import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, AugmentInputs, build_outcome, count_yield
from turnabout.augment.critiques.meta_critique import MetaCritic
from turnabout.augment.critiques.revision_gain import RevisionTrial, build_comparison, measure_gains
from turnabout.augment.critiques.units import MAX_UNITS, Critic, CriticUnit, write_units
from turnabout.augment.one_sentence import OneSentence, SentencePrompt, add_annotations
from turnabout.core import schemas
from turnabout.generation.config import ModelConfig
from turnabout.generation.registry import AnyModel, Local
from turnabout.prompting.structured import AskOptions, UnusableAnswer

UNITS = schemas.CRITIQUES["units"]


class Critiques(OneSentence):
    """One critique per criticised reply.

    It is written from the exchange and the user's reaction to it.
    """

    writes: Literal["critiques"] = "critiques"
    table_schema: ClassVar[pl.Schema] = schemas.CRITIQUES
    column: ClassVar[str] = "flaw"
    sentence: ClassVar[SentencePrompt] = SentencePrompt(
        version="critique-3",
        instruction=(
            "The user was not satisfied with the assistant's last reply. "
            "Say in one sentence what was wrong with that reply. Do not answer the user."
        ),
        prefill="The reply was not good, because the user wanted",
    )
    merged_version: ClassVar[str] = "multi-critique-2"

    critics: tuple[Critic, ...] = ()
    """Critics that write units, which are labelled and merged into the critique, for models that keep to JSON.

    [] has the stage's model write one sentence.
    """
    revisions: int = Field(default=0, ge=0)
    """Revisions drawn with and without a critique to see whether it helps; 0 leaves critiques untested."""
    judge: AnyModel | None = None
    """The model that compares revisions, which must not be the one that wrote them.

    null compares by the follow-ups of the model of `augment.user`.
    """
    phrases_per_dimension: int = Field(default=10, gt=0, le=10)
    """Positive and negative follow-ups per dimension that score a revision."""
    max_new_tokens: int = Field(default=512, gt=0)
    """Longest answer of a critic and longest revision, in tokens.

    `augment.max_new_tokens` limits the one sentence.
    """
    retries: int = Field(default=1, ge=0)
    """How often a question is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """Return the calls for units, labels, the merger and the revisions.

        Each unit needs a label. Revisions of both kinds are written and compared.
        """
        n_critique = (1 + self.retries) * (len(self.critics) * (1 + MAX_UNITS) + 1) if self.critics else 1
        return n_critique + 2 * self.revisions + self._calls_to_compare()

    def max_answer_tokens(self, max_new_tokens: int) -> int:
        """Return its own limit, or the stage's where it asks for one sentence alone."""
        return self.max_new_tokens if self.critics or self.revisions else max_new_tokens

    def calls_by_other_models(self) -> list[tuple[ModelConfig, int]]:
        """Return the calls to critics with their own model, and the comparisons.

        Comparisons go to the judge or to the model of `augment.user`.
        """
        critics = [(critic.generator, 1 + self.retries) for critic in self.critics if critic.generator is not None]
        return [*critics, (self.judge or Local(), self._calls_to_compare())]

    def _calls_to_compare(self) -> int:
        """Return the calls that compare the revisions of one reply.

        A judge reads each revision with a critique beside one without, in both orders. A user model reads each once.
        """
        return 2 * self.revisions * (1 if self.judge is None else 1 + self.retries)

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return one critique per criticised reply, in the order of `criticised`.

        Each is kept, or dropped with the reason.
        """
        # Opened first, so that a missing scorer fails before any call is paid for.
        trial = self._open_trial(context) if self.revisions else None
        if self.critics:
            critiques = self._write_merged(inputs.criticised, context)
        else:
            critiques = self.write_sentences(inputs.criticised, context).with_columns(units=pl.lit(None, UNITS))
        if trial is None:
            tested = critiques.with_columns(gain=pl.lit(None, pl.Float64))
        else:
            tested = _test_by_revision(critiques, inputs.criticised, context, trial)
        return tested.select(list(schemas.CRITIQUES))

    def compute_metrics(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return the yield of the critics' units, in all and by critic."""
        if not self.critics:
            return {}
        exploded = table.explode("units").unnest("units", separator="_").drop_nulls("units_critic")
        units = exploded.select(critic="units_critic", reason="units_reason", kept=pl.col("units_reason").is_null())
        by_critic = {}
        for (critic,), rows in units.partition_by("critic", as_dict=True).items():
            by_critic[critic] = count_yield(rows)
        return {"units": {**count_yield(units), "by_critic": dict(sorted(by_critic.items()))}}

    def _open_trial(self, context: AugmentContext) -> RevisionTrial:
        compare = build_comparison(
            context, self.judge, phrases_per_dimension=self.phrases_per_dimension, retries=self.retries
        )
        return RevisionTrial(self.revisions, self.max_new_tokens, compare)

    def _write_merged(self, criticised: pl.DataFrame, context: AugmentContext) -> pl.DataFrame:
        """Return one critique per reply, merged from the critics' sound units."""
        rows = criticised.to_dicts()
        options = AskOptions(prefill="", max_new_tokens=self.max_new_tokens, retries=self.retries, seed=context.seed)
        meta_critic = MetaCritic(context.generator, context.max_prompt_tokens, options)
        units = meta_critic.label_units(rows, write_units(rows, self.critics, context, options))
        critiques = meta_critic.merge_units(rows, units)
        texts, outcomes, unit_rows = [], [], []
        for critique, of_reply in zip(critiques, units, strict=True):
            reason = critique.reason if isinstance(critique, UnusableAnswer) else None
            texts.append(None if isinstance(critique, UnusableAnswer) else critique)
            outcomes.append(build_outcome(context, self.merged_version, reason))
            unit_rows.append([_build_unit_row(unit) for unit in of_reply])
        annotated = add_annotations(criticised, self.column, texts, outcomes)
        return annotated.with_columns(units=pl.Series(unit_rows, dtype=UNITS))


def _test_by_revision(
    critiques: pl.DataFrame, criticised: pl.DataFrame, context: AugmentContext, trial: RevisionTrial
) -> pl.DataFrame:
    """Return the critiques with their gains.

    Those that do not help are not kept.
    """
    kept = critiques["kept"]
    rows = criticised.filter(kept).to_dicts()
    gains = iter(measure_gains(rows, critiques.filter(kept)["flaw"].to_list(), context, trial))
    outcomes = [_judge_gain(next(gains)) if is_kept else (None, None) for is_kept in kept]
    columns = pl.DataFrame(outcomes, {"gain": pl.Float64, "useless": pl.String}, orient="row")
    return critiques.hstack(columns).with_columns(
        kept=pl.col("kept") & pl.col("useless").is_null(), reason=pl.coalesce("useless", "reason")
    )


def _judge_gain(gain: float | UnusableAnswer) -> tuple[float | None, str | None]:
    """Return the gain of a critique, and the reason where it is not kept."""
    if isinstance(gain, UnusableAnswer):
        return None, gain.reason
    return gain, None if gain > 0 else "revisions are no better for it"


def _build_unit_row(unit: CriticUnit) -> dict[str, Any]:
    """Return one unit as a row of the column `units` of `schemas.CRITIQUES`."""
    content = {} if unit.unit is None else msgspec.to_builtins(unit.unit)
    return {"critic": unit.critic, **content, "label": unit.label, "reason": unit.reason}
