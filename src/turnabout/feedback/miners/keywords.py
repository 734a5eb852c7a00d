"""Words that a text must hold for a phrase to match it: what makes the rules fast, for most follow-ups hold none."""

import re
from collections.abc import Iterable

from turnabout.text.content_words import COMMON_WORDS

TOKEN = re.compile(r"\\.|\[[^\]]*\]|.")
QUANTIFIER = re.compile(r"[?*+]|\{(\d+)(?:,\d*)?\}")


def keywords(phrases: Iterable[str]) -> list[str]:
    """Words, in lower case and sorted, of which every text that any of the phrases matches holds at least one.

    A phrase is a regular expression of letters, `\\w` and its like, `[...]`, groups and quantifiers; blanks and
    apostrophes end a word. Raises `ValueError` for a phrase that matches texts without any certain word.
    """
    found: set[str] = set()
    for phrase in phrases:
        needed, rest = _alternatives(phrase)
        if rest or not needed:
            raise ValueError(f"phrase '{phrase}' has no word that every text it matches holds, or an unpaired ')'")
        found |= needed
    return sorted(word for word in found if not any(other in word for other in found - {word}))


def _alternatives(text: str) -> tuple[set[str], str]:
    """Words one of which the alternatives up to the closing parenthesis need (none if one needs none), and the rest."""
    needed: list[set[str]] = []
    while True:
        words, text = _sequence(text)
        needed.append(words)
        if not text.startswith("|"):
            return (set().union(*needed) if all(needed) else set()), text
        text = text[1:]


def _sequence(text: str) -> tuple[set[str], str]:
    """The most telling requirement of one alternative, and the rest from its `|` or `)` on."""
    requirements: list[set[str]] = []
    word = ""
    while text and text[0] not in "|)":
        if text[0] == "(":
            inner, text = _alternatives(text[1:].removeprefix("?:"))
            letter, text = "", text.removeprefix(")")
        else:
            token = TOKEN.match(text)
            assert token is not None
            inner, letter, text = set(), token[0], text[token.end() :]
        quantifier = QUANTIFIER.match(text)
        least = 1 if quantifier is None else int(quantifier[1] or quantifier[0] == "+")
        if quantifier is not None:
            text = text[quantifier.end() :]
        if letter.isalnum() and least:
            word += letter
        if not (letter.isalnum() and quantifier is None):
            requirements.append({word} - {""})
            requirements.append(inner if least else set())
            word = ""
    requirements.append({word} - {""})
    return max(requirements, key=_tells), text


def _tells(words: set[str]) -> tuple[bool, int, int, int]:
    """How much it tells that a text holds one of these words: none short, few of them common, few of them at all."""
    shortest = min(map(len, words), default=0)
    return shortest > 2, -len(words & COMMON_WORDS) if words else -len(COMMON_WORDS), shortest, -len(words)
