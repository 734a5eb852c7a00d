"""Content words: the words of a text without common words."""

from importlib.resources import files

import polars as pl

#: Words of grammar and small talk that unrelated turns share, in lower case without apostrophes.
COMMON_WORDS = frozenset((files(__package__) / "common_words.txt").read_text(encoding="utf-8").split())


def extract_content_words(text: str | pl.Expr) -> pl.Expr:
    """Return the content words of each text of a column; null for a null text.

    They are in lower case, without apostrophes and without `COMMON_WORDS`.
    """
    column = pl.col(text) if isinstance(text, str) else text
    words = column.str.to_lowercase().str.replace_all("['’]", "").str.extract_all(r"\w+")
    return words.list.filter(~pl.element().is_in(sorted(COMMON_WORDS)))
