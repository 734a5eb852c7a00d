"""The words of a text that say what it is about."""

from importlib.resources import files

import polars as pl

#: Words that two unrelated turns share, in lower case without apostrophes: grammar, and what small talk is made of.
COMMON_WORDS = frozenset((files(__package__) / "common_words.txt").read_text(encoding="utf-8").split())


def content_words(text: str | pl.Expr) -> pl.Expr:
    """The words of a column's texts in lower case, without apostrophes and `COMMON_WORDS`; null for no text."""
    column = pl.col(text) if isinstance(text, str) else text
    words = column.str.to_lowercase().str.replace_all("['’]", "").str.extract_all(r"\w+")
    return words.list.filter(~pl.element().is_in(sorted(COMMON_WORDS)))
