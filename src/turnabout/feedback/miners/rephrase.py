"""The user asks again: a follow-up that says what one of the user's turns before said, in other words or the same."""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.signals import WHERE, signals
from turnabout.text.content_words import content_words

#: Least share of common content words, 0 to 100, at which two turns are worth comparing by meaning.
WORTH_COMPARING = 60.0


class Rephrase(Miner):
    """UR1 of Don-Yehiya et al. (2024) where no word gives it away: nobody repeats what was answered well.

    Turns are compared by their content words alone, in any order (`token_sort_ratio`, 0 to 100): "what do you think of
    cats" and "what do you think of dogs" share a frame, not a question. Those that share many but say them differently
    are compared by the cosine of their sentence vectors. The span is the whole follow-up, the score minus the greater
    similarity, and the confidence grows from 0.5 at the threshold to 0.9 for the same words again.
    """

    miner: Literal["rephrase"] = "rephrase"
    version: ClassVar[str] = "2"
    threshold: Annotated[float, Field(gt=0, lt=100)] = 85.0
    """Least similarity of words, 0 to 100, of a repetition."""
    meaning: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Least cosine of sentence vectors of a repetition, for instance 0.8; null compares words alone."""
    turns: Annotated[int, Field(gt=0)] = 3
    """How many of the user's turns before the reply the follow-up is compared with."""
    min_words: Annotated[int, Field(gt=0)] = 3
    """Fewest content words each of the two turns must have: greetings and fillers repeat innocently."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """One dsat signal, category `rephrase`, per follow-up that repeats a user turn before the reply."""
        pairs = self._pairs(exchanges)
        repeated = self._by_words(pairs)
        if self.meaning is not None:
            repeated = pl.concat([repeated, _by_meaning(pairs, self.meaning)])
        found = (
            repeated.sort(*WHERE, "confidence", descending=[False] * len(WHERE) + [True])
            .unique(WHERE, keep="first", maintain_order=True)
            .with_columns(category=pl.lit("rephrase"), span="follow_up", score=-pl.col("similarity"))
        )
        return signals(found, self.miner, self.version)

    def _pairs(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Each follow-up beside each of the user turns before its reply, with enough content words in both."""
        earlier = [
            pl.col("previous_user").shift(n).over("conversation_id", order_by="reply_index") for n in range(self.turns)
        ]
        said = exchanges.select(*WHERE, "follow_up", before=pl.concat_list(earlier)).drop_nulls("follow_up")
        pairs = said.explode("before").with_columns(old=content_words("before"), new=content_words("follow_up"))
        pairs = pairs.filter(pl.min_horizontal(pl.col("old", "new").list.len()) >= self.min_words)
        return pairs.with_columns(pl.col("old", "new").list.join(" "))

    def _by_words(self, pairs: pl.DataFrame) -> pl.DataFrame:
        similarity = _ratio(pairs, "token_sort_ratio") / 100
        return _repetitions(pairs, similarity, self.threshold / 100)


def _by_meaning(pairs: pl.DataFrame, least: float) -> pl.DataFrame:
    from turnabout.text.sentence_vectors import sentence_vectors

    near = pairs.filter(_ratio(pairs, "token_set_ratio") >= WORTH_COMPARING)
    old, new = (sentence_vectors(near[column].to_list()) for column in ("before", "follow_up"))
    return _repetitions(near, pl.Series((old * new).sum(axis=1), dtype=pl.Float64), least)


def _ratio(pairs: pl.DataFrame, scorer: str) -> pl.Series:
    """Similarity of content words, 0 to 100."""
    from rapidfuzz import fuzz
    from rapidfuzz.process import cpdist

    ratios = cpdist(pairs["old"].to_list(), pairs["new"].to_list(), scorer=getattr(fuzz, scorer))
    return pl.Series(ratios, dtype=pl.Float64)


def _repetitions(pairs: pl.DataFrame, similarity: pl.Series, least: float) -> pl.DataFrame:
    """The pairs at least that similar (0 to 1), with the confidence that one repeats the other."""
    return (
        pairs.with_columns(similarity=similarity)
        .filter(pl.col("similarity") >= least)
        .with_columns(confidence=0.5 + 0.4 * (pl.col("similarity").clip(upper_bound=1.0) - least) / (1 - least))
    )
