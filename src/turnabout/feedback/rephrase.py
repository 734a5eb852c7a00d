"""The user asks again: a follow-up that says what the user's previous turn said, in nearly the same words."""

from importlib.resources import files
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field
from rapidfuzz.fuzz import token_sort_ratio
from rapidfuzz.process import cpdist

from turnabout.feedback.base import Miner
from turnabout.feedback.signals import signals

#: Words that two unrelated turns share, in lower case without apostrophes: grammar, and what small talk is made of.
COMMON_WORDS = (files(__package__) / "common_words.txt").read_text(encoding="utf-8").split()


class Rephrase(Miner):
    """UR1 of Don-Yehiya et al. (2024) where no word gives it away: nobody repeats what was answered well.

    Turns are compared by their content words alone, in any order (`token_sort_ratio`, 0 to 100): "what do you think of
    cats" and "what do you think of dogs" share a frame, not a question. The span is the whole follow-up, the score
    minus the similarity, and the confidence grows from 0.5 at `threshold` to 0.9 for the same words again.
    """

    miner: Literal["rephrase"] = "rephrase"
    version: ClassVar[str] = "1"
    threshold: Annotated[float, Field(gt=0, lt=100)] = 85.0
    """Least similarity, 0 to 100, of a repetition."""
    min_words: Annotated[int, Field(gt=0)] = 3
    """Fewest content words each of the two turns must have: greetings and fillers repeat innocently."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """One dsat signal, category `rephrase`, per follow-up that repeats the user turn before the reply."""
        asked = exchanges.with_columns(before=content_words("previous_user"), after=content_words("follow_up")).filter(
            pl.min_horizontal(pl.col("before", "after").list.len()) >= self.min_words
        )
        before, after = (asked[column].list.join(" ").to_list() for column in ("before", "after"))
        similarity = pl.Series(cpdist(before, after, scorer=token_sort_ratio), dtype=pl.Float64)
        certainty = 0.5 + 0.4 * (pl.col("similarity") - self.threshold) / (100 - self.threshold)
        found = (
            asked.with_columns(similarity=similarity)
            .filter(pl.col("similarity") >= self.threshold)
            .with_columns(
                category=pl.lit("rephrase"), span="follow_up", score=-pl.col("similarity") / 100, confidence=certainty
            )
        )
        return signals(found, self.miner, self.version)


def content_words(column: str) -> pl.Expr:
    """The words of a text in lower case, without apostrophes and `COMMON_WORDS`; null for no text."""
    words = pl.col(column).str.to_lowercase().str.replace_all("['’]", "").str.extract_all(r"\w+")
    return words.list.filter(~pl.element().is_in(COMMON_WORDS))
