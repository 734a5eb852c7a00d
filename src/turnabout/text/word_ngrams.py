"""Words of texts as numbers: hashed once, and rolled into word n-grams without a Python loop."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

#: One word: letters, marks and digits together; one character where a script writes no spaces between words.
WORD = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
    r"|[\p{L}\p{M}\p{N}--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}--\p{Lao}--\p{Khmer}--\p{Myanmar}]+"
)

#: What the hashes depend on: polars keeps its hash within one version only, so a stored hash is stored with this.
HASHED_BY = f"polars {pl.__version__}"

#: The odd multiplier of the rolling hash (2^64 over the golden ratio, as in Fibonacci hashing).
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Words(NamedTuple):
    """Every word of some texts, in order: the row of its text, ascending, and its hash."""

    rows: Rows
    hashes: Hashes


class Grams(NamedTuple):
    """Every word n-gram, in order: the row of its text, its hash, and which word of all texts it starts at."""

    rows: Rows
    hashes: Hashes
    starts: Rows


def words(text: pl.Expr) -> pl.Expr:
    """The words of each text as a list: lower case, without punctuation; null where the text is null."""
    return text.str.to_lowercase().str.extract_all(WORD)


def hashed_words(texts: pl.Series) -> Words:
    """The words of all texts as hashes."""
    found = texts.to_frame("text").select(row=pl.int_range(pl.len()), word=words(pl.col("text")))
    found = found.explode("word").drop_nulls("word")
    return Words(found["row"].to_numpy(), found["word"].hash(seed=0).to_numpy())


def grams(spoken: Words, n: int) -> Grams:
    """Every run of `n` words within one row; a row of fewer words has none."""
    n_starts = max(len(spoken.rows) - n + 1, 0)
    starts = np.flatnonzero(spoken.rows[:n_starts] == spoken.rows[n - 1 : n - 1 + n_starts])
    rolled = np.zeros(n_starts, np.uint64)
    for offset in range(n):
        rolled = rolled * MULTIPLIER + spoken.hashes[offset : offset + n_starts]
    return Grams(spoken.rows[starts], rolled[starts], starts)
