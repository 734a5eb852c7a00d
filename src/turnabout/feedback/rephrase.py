"""The user asks again: a follow-up that says what the user's previous turn said, in nearly the same words."""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field
from rapidfuzz.fuzz import token_sort_ratio
from rapidfuzz.process import cpdist

from turnabout.feedback.base import Miner
from turnabout.feedback.signals import signals

#: Words that two unrelated turns share: grammar, and what small talk is made of. Compared without apostrophes.
COMMON_WORDS = """
a about am an and any are as at be been but by can could did do does doing for from get go good got had has have he her
here him his how i if im in is isnt it its ive just like me my no not of off oh ok okay on one or our out really she so
some sure than that thats the their them then there they this to too up us very was we well were what whats when where
which who why will with would yeah yep yes you your youre
bye cool evening fine goodbye goodnight great haha hahaha hello hey hi hmm lol morning nice night nope pretty right
see thank thanks today u ur wow
""".split()


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
        asked = exchanges.with_columns(
            before=content_words("previous_user"), after=content_words("follow_up")
        ).filter(pl.min_horizontal(pl.col("before", "after").list.len()) >= self.min_words)
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
