"""The interface of a kind of personal data, and helpers for its patterns.

A kind consists of a quick test (`trigger`), an exact search (`find`) and a rule for when two values are equal.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

Span = tuple[int, int]


class Kind(NamedTuple):
    """One kind of personal data."""

    trigger: str
    """Rust regex that matches every text in which `find` finds a value. Texts without a match never reach Python."""
    find: Callable[[str], Iterable[Span]]
    """Return the character spans of the values in a text, in any order; they may overlap.

    It must take time proportional to the length of the text, whatever the text holds.
    """
    labels: str = ""
    """Regex of the field names whose values are of this kind, for JSON numbers (`"phone": 15552345678`)."""
    normalize: Callable[[str], str] = str.casefold
    """Return the normal form of a value: two spellings of one value have the same normal form."""
    needs_digit: bool = False
    """Whether `find` finds nothing in a text without a digit. Most texts have none and then are not searched."""


def find_spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """Yield the spans of the matches, in order and without overlaps.

    If the pattern has a group `value`, the span is that of the group.
    """
    group = "value" if "value" in pattern.groupindex else 0
    return (match.span(group) for match in pattern.finditer(text))


def label_pattern(labels: str, value: str) -> re.Pattern[str]:
    """Compile a pattern for a value that follows one of the labels.

    The group `value` matches in `label: value`, `label=value` and `"label": "value"`. A label may follow `_`, as in
    `user_phone`.
    """
    return re.compile(rf"(?i:(?<![^\W_])(?:{labels}))[\"']?[ \t]{{0,3}}[:=][ \t]{{0,3}}[\"']?(?P<value>{value})")


def has_any(text: str, words: Iterable[str]) -> bool:
    """Return whether the text contains one of the words.

    The words are in lower case; the case of the text is ignored. This test costs far less than a pattern that needs
    one of the words.
    """
    folded = text.casefold()
    return any(word in folded for word in words)


def keep_alphanumerics(value: str) -> str:
    """Return the letters and digits of the value, in lower case."""
    return re.sub(r"[\W_]", "", value).casefold()
