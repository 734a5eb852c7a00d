"""What the log itself says about a reply: a rating, a reaction, the user's edit, a choice, a regeneration."""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from turnabout.errors import DataError
from turnabout.feedback.base import Miner
from turnabout.feedback.signals import RECORDED, WHERE, signals

#: Reactions in lower case, without colons, blanks, `_` and skin tones. One that is not here says nothing.
SAT_REACTIONS = [
    "👍",
    "❤",
    "🎉",
    "👏",
    "😍",
    "🙏",
    "+1",
    "up",
    "thumbsup",
    "thumbs-up",
    "like",
    "love",
    "positive",
    "good",
]
DSAT_REACTIONS = ["👎", "😡", "😠", "-1", "down", "thumbsdown", "thumbs-down", "dislike", "hate", "negative", "bad"]

DECORATION = r"[\s:_\x{FE0F}\x{1F3FB}-\x{1F3FF}]"


class Explicit(Miner):
    """One signal per kind of explicit judgement. The signal sits on the reply, so the evidence is the reply itself.

    Category, score and confidence: `rating`, its place on the scale, 1; `reaction`, ±1, 1; `edit`, minus the share of
    the reply that was rewritten (edit distance over the longer length), 0.8; `preference`, how much the reply was
    preferred to the alternatives people compared it with, on average, 0.9; `regeneration`, -0.5, 0.7, because people
    also ask for another reply out of curiosity. Where the log has `preferences`, even unknown ones, the alternatives
    were there to be compared, and nobody asked again.
    """

    miner: Literal["explicit"] = "explicit"
    version: ClassVar[str] = "3"
    scale: tuple[float, float] = (-1.0, 1.0)
    """Lowest and highest rating of the log: thumbs as -1 and 1; write [1, 5] for stars. It becomes a score -1 to 1."""
    sat_from: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Lowest score that is satisfaction: thumbs up; four of five stars."""
    dsat_to: Annotated[float, Field(ge=-1, lt=0)] = -0.5
    """Highest score that is dissatisfaction: thumbs down; two of five stars. Ratings in between say nothing."""

    @model_validator(mode="after")
    def _scale_has_two_ends(self) -> "Explicit":
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {list(self.scale)} must be [lowest, highest], the lowest first")
        return self

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Signals of all five kinds. Raises `DataError` where a rating lies outside the scale."""
        replies = exchanges.with_columns(evidence_index="reply_index")
        kinds = [
            self._ratings(replies),
            _reactions(replies),
            _edits(replies),
            _preferences(replies),
            _regenerations(replies.filter(pl.col("preferences").is_null())),
        ]
        found = pl.concat(kind.select(*WHERE, "category", "span", "score", "confidence") for kind in kinds)
        return signals(found, self.miner, self.version)

    def _ratings(self, replies: pl.DataFrame) -> pl.DataFrame:
        low, high = self.scale
        rated = replies.filter(pl.col("rating").is_not_nan())
        if not rated["rating"].is_between(low, high).all():
            raise DataError(
                f"ratings {rated['rating'].min()!r} to {rated['rating'].max()!r} do not fit the scale {[low, high]}; "
                "give miner 'explicit' the log's lowest and highest rating in params.yaml, e.g. scale: [1, 5]"
            )
        score = 2 * (pl.col("rating") - low) / (high - low) - 1
        return rated.with_columns(
            score=score, confidence=RECORDED["rating"], category=pl.lit("rating"), span=pl.col("rating").cast(pl.String)
        ).filter((pl.col("score") >= self.sat_from) | (pl.col("score") <= self.dsat_to))


def _reactions(replies: pl.DataFrame) -> pl.DataFrame:
    plain = pl.col("reaction").str.to_lowercase().str.replace_all(DECORATION, "")
    score = pl.when(plain.is_in(SAT_REACTIONS)).then(1.0).when(plain.is_in(DSAT_REACTIONS)).then(-1.0)
    return replies.with_columns(
        score=score, confidence=RECORDED["reaction"], category=pl.lit("reaction"), span=pl.col("reaction")
    ).drop_nulls("score")


def _edits(replies: pl.DataFrame) -> pl.DataFrame:
    edited = replies.drop_nulls("edited_text").filter(
        pl.col("edited_text").str.strip_chars() != pl.col("reply").str.strip_chars()
    )
    rewritten = cpdist(
        edited["reply"].to_list(), edited["edited_text"].to_list(), scorer=Levenshtein.normalized_distance
    )
    return edited.with_columns(
        score=-pl.Series(rewritten, dtype=pl.Float64),
        confidence=RECORDED["edit"],
        category=pl.lit("edit"),
        span=pl.col("edited_text"),
    )


def _preferences(replies: pl.DataFrame) -> pl.DataFrame:
    """A tie, or preferences that cancel out, says nothing."""
    n_compared = pl.col("preferences").list.drop_nulls().list.len()
    preference = pl.col("preferences").list.mean()
    return replies.filter(preference != 0).with_columns(
        score=preference,
        confidence=RECORDED["preference"],
        category=pl.lit("preference"),
        span=pl.format("compared with {} other replies", n_compared),
    )


def _regenerations(replies: pl.DataFrame) -> pl.DataFrame:
    others = pl.col("alternatives").list.set_difference(pl.concat_list("reply")).list.len()
    return replies.filter(others > 0).with_columns(
        score=-0.5,
        confidence=RECORDED["regeneration"],
        category=pl.lit("regeneration"),
        span=pl.format("{} other replies", others),
    )
