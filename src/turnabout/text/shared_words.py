"""Runs of words that one text has from another: what was copied, and what an intent gives away."""

from collections.abc import Sequence

import polars as pl

from turnabout.text.word_ngrams import words


def shares_words(text: str, others: Sequence[str], n: int) -> bool:
    """Whether `text` has a run of `n` words that also stands in one of `others`.

    Case, punctuation and white space do not count. Where a script writes no spaces, a character is a word.
    """
    spoken = pl.Series("text", [text, *others], pl.String).to_frame().select(words(pl.col("text"))).to_series()
    ours, *theirs = (each.to_list() for each in spoken)
    runs = [_line(ours[i : i + n]) for i in range(len(ours) - n + 1)]
    return bool(runs) and any(run in line for line in map(_line, theirs) for run in runs)


def _line(spoken: Sequence[str]) -> str:
    """The words between blanks, so that a run of words stands in it as a piece of text."""
    return f" {' '.join(spoken)} "
