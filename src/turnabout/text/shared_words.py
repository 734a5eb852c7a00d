"""Runs of words that two texts share, as a test for copied text."""

from collections.abc import Sequence

import polars as pl

from turnabout.text.word_ngrams import extract_words


def shares_word_run(text: str, others: Sequence[str], n: int) -> bool:
    """Return whether `text` shares a run of `n` words with one of `others`.

    Case, punctuation and white space are ignored. In scripts without spaces each character counts as a word.
    """
    texts = pl.Series("text", [text, *others], pl.String).to_frame().select(extract_words(pl.col("text"))).to_series()
    words, *words_of_others = (words.to_list() for words in texts)
    runs = [_join_words(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not runs:
        return False
    lines = [_join_words(other) for other in words_of_others]
    return any(run in line for line in lines for run in runs)


def _join_words(words: Sequence[str]) -> str:
    """Join words with a blank on both sides, so that runs are substrings."""
    return f" {' '.join(words)} "
