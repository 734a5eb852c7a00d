"""Ratings: how good a reply and its alternatives are, aspect by aspect (UltraFeedback, Cui et al. 2023)."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import Augmenter, Logs, Writing
from turnabout.augment.candidates import REPLY, candidates
from turnabout.augment.ratings.aspects import ASPECTS
from turnabout.augment.ratings.questions import Panel, Rating, by_answers, by_scores
from turnabout.core import schemas
from turnabout.core.conversations import hash_rank

QUESTION = [*REPLY, "aspect"]
TEXT = [*REPLY, "number"]


class Ratings(Augmenter):
    """Every text that could be the reply, rated 1 to 5 for each of `ASPECTS`; one question per reply and aspect.

    All texts stand in one question, in an order drawn by hash for each aspect, so that ratings can be compared and no
    text profits from its place. The overall rating is the mean of the aspects and never asked for: overall ratings that
    models gave did not fit their own aspects (UltraFeedback's correction of 12/2023).
    """

    writes: Literal["ratings"] = "ratings"
    prompt_version: ClassVar[str] = "rating-1"
    by: Literal["answers", "scores"] = "answers"
    """`answers`: a JSON object with rationales. `scores`: the expected value over the probabilities of the digits 1 to
    5, without rationales, for a model too small to keep to the form."""
    max_texts: int = Field(default=4, ge=1)
    """Most texts rated of one reply, itself included."""
    retries: int = Field(default=1, ge=0)
    """How often is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """A question per aspect, asked again where need be; with `scores`, one per aspect and text."""
        return len(ASPECTS) * (self.max_texts if self.by == "scores" else 1 + self.retries)

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """One row per text and aspect, sorted by reply, text and aspect."""
        shown = _shown(candidates(logs, self.max_texts), writing.seed)
        found = [rating for of_panel in self._rate(_panels(shown, logs.criticised), writing) for rating in of_panel]
        ratings = pl.DataFrame(found, RATING, orient="row")
        rated = pl.concat([shown, ratings], how="horizontal").with_columns(kept=pl.col("reason").is_null())
        mean = pl.when(pl.col("kept").all()).then(pl.col("rating").mean())
        return (
            rated.with_columns(
                overall=mean.over(TEXT),
                author=pl.lit(writing.author.name),
                prompt_version=pl.lit(self.prompt_version),
            )
            .sort(*TEXT, "aspect")
            .select(list(schemas.RATINGS))
        )

    def _rate(self, panels: list[Panel], writing: Writing) -> list[list[Rating]]:
        if self.by == "scores":
            return by_scores(writing.author, panels, writing.max_prompt_tokens)
        limits = writing.max_prompt_tokens, writing.max_new_tokens
        return by_answers(writing.author, panels, *limits, self.retries, writing.seed)


RATING = {name: schemas.RATINGS[name] for name in Rating._fields}


def _shown(texts: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Every text once per aspect with its `place` there, in the order of the questions; `number` tells texts apart."""
    numbered = texts.with_columns(number=pl.int_range(pl.len()).over(REPLY))
    aspects = pl.DataFrame({"aspect": [aspect.name for aspect in ASPECTS]})
    drawn = numbered.join(aspects, how="cross").with_columns(order=hash_rank(seed, *REPLY, "aspect", "text"))
    placed = drawn.sort(*QUESTION, "order").with_columns(place=pl.int_range(pl.len(), dtype=pl.Int32).over(QUESTION))
    return placed.drop("order")


def _panels(shown: pl.DataFrame, criticised: pl.DataFrame) -> list[Panel]:
    """The questions in order; their texts one after another are the rows of `shown`."""
    by_name = {aspect.name: aspect for aspect in ASPECTS}
    grouped = shown.group_by(QUESTION, maintain_order=True).agg("text")
    talks = grouped.join(criticised.select(*REPLY, "prompt"), on=REPLY, maintain_order="left")
    return [Panel(row["prompt"], by_name[row["aspect"]], row["text"]) for row in talks.iter_rows(named=True)]
