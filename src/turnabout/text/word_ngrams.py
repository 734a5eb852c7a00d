"""Word n-grams of texts as hashes, computed without a Python loop."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

#: One word: a run of letters, marks and digits; in scripts without spaces, one character.
WORD = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
    r"|[\p{L}\p{M}\p{N}--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]+"
)

#: Version tag to store beside hashes: the hash of polars may change with its version.
HASHED_BY = f"polars {pl.__version__}"

#: The odd multiplier of the rolling hash (2^64 over the golden ratio, as in Fibonacci hashing).
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class HashedWords(NamedTuple):
    """All words of some texts, in order.

    `rows` holds the row of each word's text (ascending), `hashes` the word's hash.
    """

    rows: Rows
    hashes: Hashes


class WordNgrams(NamedTuple):
    """All word n-grams of some texts, in order.

    `rows` holds the row of the text, `hashes` the hash, `starts` the index of the first word among all words.
    """

    rows: Rows
    hashes: Hashes
    starts: Rows


def extract_words(text: pl.Expr) -> pl.Expr:
    """Return the words of each text as a list; null for a null text.

    Words are in lower case and without punctuation.
    """
    return text.str.to_lowercase().str.extract_all(WORD)


def hash_words(texts: pl.Series) -> HashedWords:
    """Return the words of all texts as hashes."""
    words = texts.to_frame("text").select(row=pl.int_range(pl.len()), word=extract_words(pl.col("text")))
    words = words.explode("word").drop_nulls("word")
    return HashedWords(words["row"].to_numpy(), words["word"].hash(seed=0).to_numpy())


def hash_ngrams(words: HashedWords, n: int) -> WordNgrams:
    """Return every run of `n` words within one row; a shorter row has none."""
    n_starts = max(len(words.rows) - n + 1, 0)
    starts = np.flatnonzero(words.rows[:n_starts] == words.rows[n - 1 : n - 1 + n_starts])
    rolled = np.zeros(n_starts, np.uint64)
    for offset in range(n):
        rolled = rolled * MULTIPLIER + words.hashes[offset : offset + n_starts]
    return WordNgrams(words.rows[starts], rolled[starts], starts)
