"""Keywords: words that a text must contain for a phrase to match it.

They make the rules fast, because most follow-ups contain none of them.
"""

import re
from collections.abc import Iterable

from turnabout.text.content_words import COMMON_WORDS

TOKEN = re.compile(r"\\.|\[[^\]]*\]|.")
QUANTIFIER = re.compile(r"[?*+]|\{(\d+)(?:,\d*)?\}")


def extract_keywords(phrases: Iterable[str]) -> list[str]:
    """Return words of which every matching text contains at least one.

    A matching text is one that any of the phrases matches. The words are in lower case and sorted. A phrase is a
    regular expression of letters, `\\w` and its like, `[...]`, groups and quantifiers; blanks and apostrophes end a
    word. Raises `ValueError` for a phrase that matches texts without any certain word.
    """
    words: set[str] = set()
    for phrase in phrases:
        required, rest = _parse_alternatives(phrase)
        if rest or not required:
            raise ValueError(f"phrase '{phrase}' has no word that every text it matches holds, or an unpaired ')'")
        words |= required
    return sorted(word for word in words if not any(other in word for other in words - {word}))


def _parse_alternatives(text: str) -> tuple[set[str], str]:
    """Parse alternatives up to `)`; return required words and the rest.

    A match contains at least one of the words. The set is empty where one alternative requires no word.
    """
    required: list[set[str]] = []
    while True:
        words, text = _parse_sequence(text)
        required.append(words)
        if not text.startswith("|"):
            return (set().union(*required) if all(required) else set()), text
        text = text[1:]


def _parse_sequence(text: str) -> tuple[set[str], str]:
    """Parse one alternative; return its most selective words and the rest.

    The rest begins with the `|` or `)` that ends the alternative.
    """
    requirements: list[set[str]] = []
    word = ""
    while text and text[0] not in "|)":
        if text[0] == "(":
            inner, text = _parse_alternatives(text[1:].removeprefix("?:"))
            letter, text = "", text.removeprefix(")")
        else:
            token = TOKEN.match(text)
            assert token is not None
            inner, letter, text = set(), token[0], text[token.end() :]
        quantifier = QUANTIFIER.match(text)
        min_count = 1 if quantifier is None else int(quantifier[1] or quantifier[0] == "+")
        if quantifier is not None:
            text = text[quantifier.end() :]
        if letter.isalnum() and min_count:
            word += letter
        if not (letter.isalnum() and quantifier is None):
            requirements.append({word} - {""})
            requirements.append(inner if min_count else set())
            word = ""
    requirements.append({word} - {""})
    return max(requirements, key=_rank_selectivity), text


def _rank_selectivity(words: set[str]) -> tuple[bool, int, int, int]:
    """Return a sort key that prefers long, rare and few keywords."""
    shortest = min(map(len, words), default=0)
    return shortest > 2, -len(words & COMMON_WORDS) if words else -len(COMMON_WORDS), shortest, -len(words)
