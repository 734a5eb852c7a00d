"""Conversations that share text with an evaluation set, found by word n-grams.

As in Brown et al. 2020, appendix C: lower case, punctuation ignored; n is the length of the set's 5th-percentile text
in words, at least 8 and at most 13, so that a set of short questions is not passed over; texts of fewer words than
n are counted (`n_too_short`), not searched for. Unlike there, a conversation that shares one n-gram goes whole.

Memory is that of the evaluation sets: their words, and about 24 bytes per n-gram. Equal hashes are verified by words.
What it misses: paraphrases, translations, and texts of fewer words than n.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from turnabout.text.word_ngrams import Grams, grams, hashed_words, words

SHORTEST, LONGEST = 8, 13

#: One contaminated conversation: the evaluation set, and the first words that it shares with it.
CONTAMINATED = pl.Schema({"conversation_id": pl.String(), "evaluation_set": pl.String(), "match": pl.String()})


class EvaluationSet:
    """The word n-grams of one evaluation set."""

    def __init__(self, name: str, texts: Iterable[str]) -> None:
        self.name = name
        column = pl.Series("text", list(texts), pl.String)
        told = column.to_frame().select(words(pl.col("text"))).to_series()
        lengths = told.list.len().to_numpy()
        typical = int(np.percentile(lengths, 5, method="lower")) if lengths.size else LONGEST
        self.n = min(max(typical, SHORTEST), LONGEST)
        self.n_too_short = int((lengths < self.n).sum())
        self._words = told.explode().drop_nulls()
        found = grams(hashed_words(column), self.n)
        self._hashes, first = np.unique(found.hashes, return_index=True)
        self._starts = found.starts[first].astype(np.uint32)
        self._shift = np.uint64(60 - max(len(self._hashes), 1).bit_length())
        self._may_match = np.zeros(1 << (64 - int(self._shift)), bool)  # 8 to 16 places a hash: most others fall beside
        self._may_match[self._hashes >> self._shift] = True

    def matches(self, found: Grams, texts: pl.Series) -> pl.DataFrame:
        """The first shared n-gram of each text that has one: `row`, `match` (words with single spaces).

        `found` are the n-grams of `texts`, of as many words as the set's.
        """
        likely = np.flatnonzero(self._may_match[found.hashes >> self._shift])
        at = np.searchsorted(self._hashes, found.hashes[likely])
        at[at == len(self._hashes)] = 0
        is_hit = self._hashes[at] == found.hashes[likely] if len(self._hashes) else np.zeros(0, bool)
        rows, first = np.unique(found.rows[likely[is_hit]], return_index=True)
        starts = self._starts[at[is_hit][first]].tolist()
        wanted = [" ".join(self._words[start : start + self.n]) for start in starts]
        said = texts.gather(rows).to_frame("text").select(words(pl.col("text")).list.join(" ")).to_series()
        is_said = [f" {match} " in f" {text} " for match, text in zip(wanted, said, strict=True)]
        hits = pl.DataFrame({"row": rows, "match": wanted}, schema={"row": pl.Int64, "match": pl.String})
        return hits.filter(pl.Series(is_said, dtype=pl.Boolean))


def contaminated(messages: pl.DataFrame, sets: Sequence[EvaluationSet]) -> pl.DataFrame:
    """The conversations (`CONTAMINATED`) that share an n-gram with a set, in order; the first match of the first set.

    An n-gram lies within one message, of whatever role.
    """
    spoken = hashed_words(messages["text"])
    found = {n: grams(spoken, n) for n in sorted({evaluation.n for evaluation in sets})}
    hits = [
        evaluation.matches(found[evaluation.n], messages["text"]).with_columns(evaluation_set=pl.lit(evaluation.name))
        for evaluation in sets
    ]
    numbered = messages.select("conversation_id").with_row_index("row").cast({"row": pl.Int64})
    joined = [numbered.join(hit, on="row", maintain_order="left") for hit in hits]
    first = pl.concat([numbered.clear().with_columns(match=pl.lit(""), evaluation_set=pl.lit("")), *joined])
    first = first.unique("conversation_id", keep="first", maintain_order=True)
    return first.sort("row").select(list(CONTAMINATED))
