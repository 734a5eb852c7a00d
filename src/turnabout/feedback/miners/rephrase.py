"""Miner `rephrase`: follow-ups that repeat an earlier user turn.

The repetition may be in the same or in other words.
"""

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.signals import EVIDENCE_KEY, build_signals
from turnabout.text.content_words import extract_content_words

#: Smallest share of common content words, 0 to 100, at which two turns are compared by meaning.
MIN_COMMON_WORDS = 60.0


class Rephrase(Miner):
    """UR1 of Don-Yehiya et al. (2024) where no phrase gives it away.

    People repeat what was not answered well. Turns are compared by their content words alone, in any order
    (`token_sort_ratio`, 0 to 100): "what do you think of cats" and "what do you think of dogs" share a frame, not a
    question. With `meaning`, turns that share many content words are also compared by the cosine of their sentence
    vectors. The span is the whole follow-up, and the score is minus the greater similarity. The confidence grows from
    0.5 at the threshold to 0.9 for the same words again.
    """

    miner: Literal["rephrase"] = "rephrase"
    version: ClassVar[str] = "2"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    threshold: Annotated[float, Field(gt=0, lt=100)] = 85.0
    """Least similarity of words, 0 to 100, of a repetition."""
    meaning: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Least cosine of sentence vectors of a repetition, for instance 0.8; null compares words alone."""
    turns: Annotated[int, Field(gt=0)] = 3
    """How many of the user's turns before the reply the follow-up is compared with."""
    min_words: Annotated[int, Field(gt=0)] = 3
    """Fewest content words of either turn: greetings and fillers are repeated without dissatisfaction."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return one dsat signal per follow-up that repeats a user turn."""
        pairs = self._pair_turns(exchanges)
        repetitions = self._match_words(pairs)
        if self.meaning is not None:
            repetitions = pl.concat([repetitions, _match_meaning(pairs, self.meaning)])
        findings = (
            repetitions.sort(*EVIDENCE_KEY, "confidence", descending=[False] * len(EVIDENCE_KEY) + [True])
            .unique(EVIDENCE_KEY, keep="first", maintain_order=True)
            .with_columns(category=pl.lit("rephrase"), span="follow_up", score=-pl.col("similarity"))
        )
        return build_signals(findings, self.miner, self.version)

    def _pair_turns(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return each follow-up with each earlier user turn (`before`).

        Both must have enough content words.
        """
        earlier = [
            pl.col("previous_user").shift(n).over("conversation_id", order_by="reply_index") for n in range(self.turns)
        ]
        follow_ups = exchanges.select(*EVIDENCE_KEY, "follow_up", before=pl.concat_list(earlier)).drop_nulls(
            "follow_up"
        )
        pairs = follow_ups.explode("before").with_columns(
            old=extract_content_words("before"), new=extract_content_words("follow_up")
        )
        pairs = pairs.filter(pl.min_horizontal(pl.col("old", "new").list.len()) >= self.min_words)
        return pairs.with_columns(pl.col("old", "new").list.join(" "))

    def _match_words(self, pairs: pl.DataFrame) -> pl.DataFrame:
        similarity = _compare_words(pairs, "token_sort_ratio") / 100
        return _select_repetitions(pairs, similarity, self.threshold / 100)


def _match_meaning(pairs: pl.DataFrame, min_cosine: float) -> pl.DataFrame:
    from turnabout.text.sentence_vectors import encode_sentences

    similar = pairs.filter(_compare_words(pairs, "token_set_ratio") >= MIN_COMMON_WORDS)
    old, new = (encode_sentences(similar[column].to_list()) for column in ("before", "follow_up"))
    return _select_repetitions(similar, pl.Series((old * new).sum(axis=1), dtype=pl.Float64), min_cosine)


def _compare_words(pairs: pl.DataFrame, scorer: str) -> pl.Series:
    """Return rapidfuzz's similarity of content words, 0 to 100."""
    from rapidfuzz import fuzz
    from rapidfuzz.process import cpdist

    ratios = cpdist(pairs["old"].to_list(), pairs["new"].to_list(), scorer=getattr(fuzz, scorer))
    return pl.Series(ratios, dtype=pl.Float64)


def _select_repetitions(pairs: pl.DataFrame, similarity: pl.Series, threshold: float) -> pl.DataFrame:
    """Return the pairs of at least that similarity, with a confidence.

    `similarity` and `threshold` are 0 to 1; the confidence is that one turn repeats the other.
    """
    excess = pl.col("similarity").clip(upper_bound=1.0) - threshold
    return (
        pairs.with_columns(similarity=similarity)
        .filter(pl.col("similarity") >= threshold)
        .with_columns(confidence=0.5 + 0.4 * excess / (1 - threshold))
    )
