"""Detection of conversations that share text with an evaluation set.

The method follows Brown et al. 2020, appendix C: texts are compared in lower case and without punctuation. n is the
number of words of the set's 5th-percentile text, at least 8 and at most 13, so that a set of short questions is
searched too. Texts with fewer than n words are counted (`n_too_short`) but not searched for. Unlike in the paper, a
conversation that shares one n-gram is dropped as a whole.

The memory needed is that of the evaluation sets: their words, and about 24 bytes per n-gram. Equal hashes are verified
by the words themselves. Paraphrases, translations, and texts of fewer than n words are missed.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from turnabout.text.word_ngrams import WordNgrams, extract_words, hash_ngrams, hash_words

MIN_N, MAX_N = 8, 13

#: One contaminated conversation: the evaluation set, and the first words that both share.
CONTAMINATED = pl.Schema({"conversation_id": pl.String(), "evaluation_set": pl.String(), "match": pl.String()})


class EvaluationSet:
    """The word n-grams of one evaluation set."""

    def __init__(self, name: str, texts: Iterable[str]) -> None:
        """Index the n-grams of the `texts` of the set called `name`."""
        self.name = name
        column = pl.Series("text", list(texts), pl.String)
        words = column.to_frame().select(extract_words(pl.col("text"))).to_series()
        lengths = words.list.len().to_numpy()
        typical = int(np.percentile(lengths, 5, method="lower")) if lengths.size else MAX_N
        self.n = min(max(typical, MIN_N), MAX_N)
        self.n_too_short = int((lengths < self.n).sum())
        self._words = words.explode().drop_nulls()
        ngrams = hash_ngrams(hash_words(column), self.n)
        self._hashes, first = np.unique(ngrams.hashes, return_index=True)
        self._starts = ngrams.starts[first].astype(np.uint32)
        # A table of 8 to 16 slots per n-gram, indexed by the high bits of a hash, rejects most hashes at once.
        self._shift = np.uint64(60 - max(len(self._hashes), 1).bit_length())
        self._may_match = np.zeros(1 << (64 - int(self._shift)), bool)
        self._may_match[self._hashes >> self._shift] = True

    def find_matches(self, ngrams: WordNgrams, texts: pl.Series) -> pl.DataFrame:
        """Return the first n-gram that each text shares with the set.

        `ngrams` are the n-grams of `texts`, with the set's n. The columns are `row`, the row of the text, and `match`,
        the words separated by single spaces. Texts without a match have no row.
        """
        likely = np.flatnonzero(self._may_match[ngrams.hashes >> self._shift])
        positions = np.searchsorted(self._hashes, ngrams.hashes[likely])
        positions[positions == len(self._hashes)] = 0
        is_equal = self._hashes[positions] == ngrams.hashes[likely] if len(self._hashes) else np.zeros(0, bool)
        rows, first = np.unique(ngrams.rows[likely[is_equal]], return_index=True)
        starts = self._starts[positions[is_equal][first]].tolist()
        matches = [" ".join(self._words[start : start + self.n]) for start in starts]
        words = texts.gather(rows).to_frame("text").select(extract_words(pl.col("text")).list.join(" ")).to_series()
        is_verified = [f" {match} " in f" {text} " for match, text in zip(matches, words, strict=True)]
        hits = pl.DataFrame({"row": rows, "match": matches}, schema={"row": pl.Int64, "match": pl.String})
        return hits.filter(pl.Series(is_verified, dtype=pl.Boolean))


def find_contaminated(messages: pl.DataFrame, sets: Sequence[EvaluationSet]) -> pl.DataFrame:
    """Return the conversations that share an n-gram with a set (`CONTAMINATED`).

    The conversations keep their order; the first match of the first set that matches is named. An n-gram lies within
    one message, of any role.
    """
    words = hash_words(messages["text"])
    lengths = {evaluation.n for evaluation in sets}
    ngrams = {n: hash_ngrams(words, n) for n in sorted(lengths)}
    numbered = messages.select("conversation_id").with_row_index("row").cast({"row": pl.Int64})
    matched = [numbered.clear().with_columns(match=pl.lit(""), evaluation_set=pl.lit(""))]
    for evaluation in sets:
        hits = evaluation.find_matches(ngrams[evaluation.n], messages["text"])
        named = hits.with_columns(evaluation_set=pl.lit(evaluation.name))
        matched.append(numbered.join(named, on="row", maintain_order="left"))
    first = pl.concat(matched).unique("conversation_id", keep="first", maintain_order=True)
    return first.sort("row").select(list(CONTAMINATED))
