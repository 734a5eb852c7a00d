"""Critiques: what was wrong with a reply that drew dissatisfaction.

One sentence of the author by default (ILF, Scheurer et al. 2023). With `critics`, the units of several are merged into
it; with `revisions`, it is kept only where acting on it makes the reply better (MultiCritique, arXiv 2410.15287).
"""

from typing import Any, ClassVar, Literal

import msgspec
import polars as pl
from pydantic import Field

from turnabout.augment.base import Logs, Writing, yielded
from turnabout.augment.critiques.meta_critique import Labelled, Merged, labelled, merged
from turnabout.augment.critiques.revision_gain import Trial, comparing, gains
from turnabout.augment.critiques.units import MAX_UNITS, Critic, Units, Written, written
from turnabout.augment.one_sentence import OneSentence
from turnabout.core import schemas
from turnabout.generation.config import Author
from turnabout.generation.registry import AnyAuthor, Local
from turnabout.prompting.structured import Asking, Unusable

UNITS = schemas.CRITIQUES["units"]


class Critiques(OneSentence):
    """One critique per criticised reply, written from the exchange and the user's reaction to it."""

    writes: Literal["critiques"] = "critiques"
    column: ClassVar[str] = "flaw"
    prompt_version: ClassVar[str] = "critique-2"
    merged_version: ClassVar[str] = "multi-critique-1"
    asked: ClassVar[str] = (
        "The user was not satisfied with the assistant's last reply. "
        "Say in one sentence what was wrong with that reply. Do not answer the user."
    )
    prefill: ClassVar[str] = "The reply was not good, because the user wanted"

    critics: tuple[Critic, ...] = ()
    """Who writes units that are labelled and merged into the critique, for models that keep to JSON; [] has the author
    write one sentence."""
    revisions: int = Field(default=0, ge=0)
    """Revisions drawn with and without a critique to see whether it helps; 0 keeps critiques untried."""
    judge: AnyAuthor | None = None
    """Who compares revisions; null asks the model of `augment.user` for its follow-ups. Never who wrote them."""
    phrases_per_dimension: int = Field(default=10, gt=0, le=10)
    """Positive and negative follow-ups per dimension that score a revision."""
    max_new_tokens: int = Field(default=512, gt=0)
    """Longest answer of a critic and longest revision, in tokens; `augment.max_new_tokens` holds for one sentence."""
    retries: int = Field(default=1, ge=0)
    """How often is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """Each critic, the label of each unit, the merger, and both kinds of revision, written and compared."""
        asked = (1 + self.retries) * (len(self.critics) * (1 + MAX_UNITS) + 1) if self.critics else 1
        return asked + 2 * self.revisions + self._comparisons()

    def longest_answer(self, max_new_tokens: int) -> int:
        """Its own limit, unless all it asks for is one sentence."""
        return self.max_new_tokens if self.critics or self.revisions else max_new_tokens

    def calls_of_others(self) -> list[tuple[Author, int]]:
        """Units of the critics that are authors of their own, and the comparisons of a judge or of `augment.user`."""
        critics = [(critic.author, 1 + self.retries) for critic in self.critics if critic.author is not None]
        return [*critics, (self.judge or Local(), self._comparisons())]

    def _comparisons(self) -> int:
        """A judge sees each revision with a critique beside one without, in both orders; a user model reads all."""
        return 2 * self.revisions * (1 if self.judge is None else 1 + self.retries)

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """One critique per criticised reply, kept or not with the reason, in the order of `criticised`."""
        # First, so that a scorer that cannot be had is told before anything is paid for.
        comparison = self.judge, self.phrases_per_dimension, self.retries
        compare = comparing(writing, *comparison) if self.revisions else None
        critiques = self._merged(logs.criticised, writing) if self.critics else self._one_sentence(logs, writing)
        trial = compare and Trial(self.revisions, self.max_new_tokens, compare)
        return _tried(critiques, logs.criticised, writing, trial).select(list(schemas.CRITIQUES))

    def figures(self, table: pl.DataFrame) -> dict[str, Any]:
        """The yield of the critics' units, all together and by critic."""
        if not self.critics:
            return {}
        units = table.explode("units").unnest("units", separator="_").drop_nulls("units_critic")
        told = units.select(critic="units_critic", reason="units_reason", kept=pl.col("units_reason").is_null())
        by_critic = {critic: yielded(rows) for (critic,), rows in told.partition_by("critic", as_dict=True).items()}
        return {"units": {**yielded(told), "by_critic": dict(sorted(by_critic.items()))}}

    def _one_sentence(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        return self.sentences(logs.criticised, writing).with_columns(units=pl.lit(None, UNITS))

    def _merged(self, criticised: pl.DataFrame, writing: Writing) -> pl.DataFrame:
        """What the critics' sound units come to, one critique per reply."""
        rows, room = criticised.to_dicts(), writing.max_prompt_tokens
        limits = self.max_new_tokens, self.retries, writing.seed
        found = written(rows, self.critics, writing, Asking('{"units": [', *limits, Units))
        units = labelled(writing.author, rows, found, room, Asking('{"reason": "', *limits, Labelled))
        texts = merged(writing.author, rows, units, room, Asking('{"critique": "', *limits, Merged))
        reasons = [text.reason if isinstance(text, Unusable) else None for text in texts]
        return criticised.select("conversation_id", "reply_index").with_columns(
            pl.Series("flaw", [None if isinstance(text, Unusable) else text for text in texts], pl.String),
            author=pl.lit(writing.author.name),
            prompt_version=pl.lit(self.merged_version),
            kept=pl.Series([reason is None for reason in reasons], dtype=pl.Boolean),
            reason=pl.Series(reasons, dtype=pl.String),
            units=pl.Series([[_row(each) for each in of_reply] for of_reply in units], dtype=UNITS),
        )


def _tried(critiques: pl.DataFrame, criticised: pl.DataFrame, writing: Writing, trial: Trial | None) -> pl.DataFrame:
    """The critiques with what each gained; those whose revisions are no better for it are not kept."""
    if trial is None:
        return critiques.with_columns(gain=pl.lit(None, pl.Float64))
    kept = critiques["kept"]
    found = iter(gains(criticised.filter(kept).to_dicts(), critiques.filter(kept)["flaw"].to_list(), writing, trial))
    tried = [_outcome(next(found)) if each else (None, None) for each in kept]
    outcomes = pl.DataFrame(tried, {"gain": pl.Float64, "useless": pl.String}, orient="row")
    return critiques.hstack(outcomes).with_columns(
        kept=pl.col("kept") & pl.col("useless").is_null(), reason=pl.coalesce("useless", "reason")
    )


def _outcome(gain: float | Unusable) -> tuple[float | None, str | None]:
    """What a critique gained and, where it is not kept for that, the reason."""
    if isinstance(gain, Unusable):
        return None, gain.reason
    return gain, None if gain > 0 else "revisions are no better for it"


def _row(each: Written) -> dict[str, Any]:
    """One unit as `schemas.CRITIQUES` keeps it."""
    words = {} if each.unit is None else msgspec.to_builtins(each.unit)
    return {"critic": each.critic, **words, "label": each.label, "reason": each.reason}
