"""Miner `explicit`: judgements that the log itself records.

They are ratings, reactions, the user's edits, preferences and regenerations.
"""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from turnabout.errors import DataError
from turnabout.feedback.base import Miner
from turnabout.feedback.signals import EVIDENCE_KEY, RECORDED_CONFIDENCE, build_signals

#: Reactions in lower case, without colons, blanks, `_` and skin tones. Any other reaction is no signal.
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

#: Characters that are removed from a reaction before it is looked up.
DECORATION = r"[\s:_\x{FE0F}\x{1F3FB}-\x{1F3FF}]"


class Explicit(Miner):
    """One signal per kind of explicit judgement.

    The evidence is the reply itself.

    Category, score and confidence:

    - `rating`: its position on the scale, from -1 to 1; confidence 1.
    - `reaction`: ±1; confidence 1.
    - `edit`: minus the share of the reply that was rewritten (edit distance over the longer length); confidence 0.8.
    - `preference`: mean preference over the alternatives that people compared it with; confidence 0.9.
    - `regeneration`: -0.5, because people also ask for another reply out of curiosity; confidence 0.7. Where the log
      has `preferences`, even unknown ones, the alternatives were there to be compared and nobody asked again, so there
      is no such signal.
    """

    miner: Literal["explicit"] = "explicit"
    version: ClassVar[str] = "3"
    languages: ClassVar[frozenset[str] | None] = frozenset()
    scale: tuple[float, float] = (-1.0, 1.0)
    """Lowest and highest rating of the log: thumbs as -1 and 1; write [1, 5] for stars. It becomes a score -1 to 1."""
    sat_from: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Lowest score that is satisfaction: thumbs up; four of five stars."""
    dsat_to: Annotated[float, Field(ge=-1, lt=0)] = -0.5
    """Highest score that is dissatisfaction: thumbs down; two of five stars. Ratings in between are no signal."""

    @model_validator(mode="after")
    def _check_scale(self) -> "Explicit":
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {list(self.scale)} must be [lowest, highest], the lowest first")
        return self

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return signals of all five kinds.

        Raises `DataError` for a rating outside the scale.
        """
        replies = exchanges.with_columns(evidence_index="reply_index")
        kinds = [
            self._find_ratings(replies),
            _find_reactions(replies),
            _find_edits(replies),
            _find_preferences(replies),
            _find_regenerations(replies.filter(pl.col("preferences").is_null())),
        ]
        findings = pl.concat(kind.select(*EVIDENCE_KEY, "category", "span", "score", "confidence") for kind in kinds)
        return build_signals(findings, self.miner, self.version)

    def _find_ratings(self, replies: pl.DataFrame) -> pl.DataFrame:
        low, high = self.scale
        rated = replies.filter(pl.col("rating").is_not_nan())
        if not rated["rating"].is_between(low, high).all():
            raise DataError(
                f"ratings {rated['rating'].min()!r} to {rated['rating'].max()!r} do not fit the scale {[low, high]}; "
                "give miner 'explicit' the log's lowest and highest rating in params.yaml, e.g. scale: [1, 5]"
            )
        score = 2 * (pl.col("rating") - low) / (high - low) - 1
        return rated.with_columns(
            score=score,
            confidence=RECORDED_CONFIDENCE["rating"],
            category=pl.lit("rating"),
            span=pl.col("rating").cast(pl.String),
        ).filter((pl.col("score") >= self.sat_from) | (pl.col("score") <= self.dsat_to))


def _find_reactions(replies: pl.DataFrame) -> pl.DataFrame:
    plain = pl.col("reaction").str.to_lowercase().str.replace_all(DECORATION, "")
    score = pl.when(plain.is_in(SAT_REACTIONS)).then(1.0).when(plain.is_in(DSAT_REACTIONS)).then(-1.0)
    return replies.with_columns(
        score=score, confidence=RECORDED_CONFIDENCE["reaction"], category=pl.lit("reaction"), span=pl.col("reaction")
    ).drop_nulls("score")


def _find_edits(replies: pl.DataFrame) -> pl.DataFrame:
    edited = replies.drop_nulls("edited_text").filter(
        pl.col("edited_text").str.strip_chars() != pl.col("reply").str.strip_chars()
    )
    rewritten = cpdist(
        edited["reply"].to_list(), edited["edited_text"].to_list(), scorer=Levenshtein.normalized_distance
    )
    return edited.with_columns(
        score=-pl.Series(rewritten, dtype=pl.Float64),
        confidence=RECORDED_CONFIDENCE["edit"],
        category=pl.lit("edit"),
        span=pl.col("edited_text"),
    )


def _find_preferences(replies: pl.DataFrame) -> pl.DataFrame:
    """Find replies with a mean preference other than 0; a tie is no signal."""
    n_compared = pl.col("preferences").list.drop_nulls().list.len()
    preference = pl.col("preferences").list.mean()
    return replies.filter(preference != 0).with_columns(
        score=preference,
        confidence=RECORDED_CONFIDENCE["preference"],
        category=pl.lit("preference"),
        span=pl.format("compared with {} other replies", n_compared),
    )


def _find_regenerations(replies: pl.DataFrame) -> pl.DataFrame:
    n_others = pl.col("alternatives").list.set_difference(pl.concat_list("reply")).list.len()
    return replies.filter(n_others > 0).with_columns(
        score=-0.5,
        confidence=RECORDED_CONFIDENCE["regeneration"],
        category=pl.lit("regeneration"),
        span=pl.format("{} other replies", n_others),
    )
