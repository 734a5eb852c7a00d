"""Ratings: how good a reply and its alternatives are, aspect by aspect.

The method is that of UltraFeedback (Cui et al. 2023).
"""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, Augmenter, AugmentInputs
from turnabout.augment.candidates import collect_candidates
from turnabout.augment.ratings.aspects import ASPECTS
from turnabout.augment.ratings.questions import Rating, RatingTask, rate_by_answers, rate_by_scores
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY, rank_by_hash
from turnabout.prompting.structured import AskOptions

#: Keys of one question and of one text.
QUESTION_KEY = [*REPLY_KEY, "aspect"]
TEXT_KEY = [*REPLY_KEY, "number"]

#: The columns that come from a rating.
RATING = {name: schemas.RATINGS[name] for name in Rating._fields}


class Ratings(Augmenter):
    """Every text that could be the reply, rated 1 to 5 for each of `ASPECTS`.

    One question is asked per reply and aspect. It shows all texts, in an order drawn by hash for each aspect, so that
    ratings can be compared and no text profits from its position. The overall rating is the mean of the aspects. It is
    never asked for, since overall ratings that models gave did not fit their own aspects (UltraFeedback's correction of
    12/2023).
    """

    writes: Literal["ratings"] = "ratings"
    table_schema: ClassVar[pl.Schema] = schemas.RATINGS
    prompt_version: ClassVar[str] = "rating-2"
    by: Literal["answers", "scores"] = "answers"
    """`answers`: a JSON object with rationales.

    `scores`: the expected value over the probabilities of the digits 1 to 5, without rationales, for a model too small
    to keep to the form.
    """
    max_texts: int = Field(default=4, ge=1)
    """Most texts rated per reply, the reply itself included."""
    retries: int = Field(default=1, ge=0)
    """How often a question is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """Return the questions of one reply.

        There is one per aspect, with its retries; with `scores`, one per aspect and text.
        """
        return len(ASPECTS) * (self.max_texts if self.by == "scores" else 1 + self.retries)

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return one row per text and aspect, sorted by reply, text and aspect."""
        ordered = _order_texts(collect_candidates(inputs, self.max_texts), context.seed)
        ratings: list[Rating] = []
        for of_task in self._rate(_build_tasks(ordered, inputs.criticised), context):
            ratings += of_task
        columns = pl.DataFrame(ratings, RATING, orient="row")
        rated = pl.concat([ordered, columns], how="horizontal").with_columns(kept=pl.col("reason").is_null())
        mean = pl.when(pl.col("kept").all()).then(pl.col("rating").mean())
        return (
            rated.with_columns(
                overall=mean.over(TEXT_KEY),
                model=pl.lit(context.generator.name),
                prompt_version=pl.lit(self.prompt_version),
            )
            .sort(*TEXT_KEY, "aspect")
            .select(list(schemas.RATINGS))
        )

    def _rate(self, tasks: list[RatingTask], context: AugmentContext) -> list[list[Rating]]:
        if self.by == "scores":
            return rate_by_scores(context.generator, tasks, context.max_prompt_tokens)
        options = AskOptions(prefill="", max_new_tokens=context.max_new_tokens, retries=self.retries, seed=context.seed)
        return rate_by_answers(context.generator, tasks, context.max_prompt_tokens, options)


def _order_texts(texts: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return every text once per aspect, in the order of the questions.

    `position` is the index of the text in its question; `number` identifies the text.
    """
    numbered = texts.with_columns(number=pl.int_range(pl.len()).over(REPLY_KEY))
    aspects = pl.DataFrame({"aspect": [aspect.name for aspect in ASPECTS]})
    drawn = numbered.join(aspects, how="cross").with_columns(order=rank_by_hash(seed, *REPLY_KEY, "aspect", "text"))
    position = pl.int_range(pl.len(), dtype=pl.Int32).over(QUESTION_KEY)
    return drawn.sort(*QUESTION_KEY, "order").with_columns(position=position).drop("order")


def _build_tasks(ordered: pl.DataFrame, criticised: pl.DataFrame) -> list[RatingTask]:
    """Return the questions in order.

    Their texts, concatenated, are the rows of `ordered`.
    """
    aspects = {aspect.name: aspect for aspect in ASPECTS}
    grouped = ordered.group_by(QUESTION_KEY, maintain_order=True).agg("text")
    prompts = criticised.select(*REPLY_KEY, "prompt")
    with_prompts = grouped.join(prompts, on=REPLY_KEY, maintain_order="left")
    return [
        RatingTask(row["prompt"], aspects[row["aspect"]], row["text"]) for row in with_prompts.iter_rows(named=True)
    ]
