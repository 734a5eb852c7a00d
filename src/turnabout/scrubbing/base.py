"""What a kind of personal data is: a quick test, a close look, and when two values are the same."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

Span = tuple[int, int]


class Kind(NamedTuple):
    """One kind of personal data. `find` takes time in proportion to the text, however the text looks."""

    trigger: str
    """Rust regex that matches every text in which `find` finds something; texts without it never reach Python."""
    find: Callable[[str], Iterable[Span]]
    """Character spans of the values in a text, in any order; they may overlap."""
    labels: str = ""
    """Regex of the field names whose values are of this kind, for JSON numbers (`"phone": 15552345678`)."""
    same: Callable[[str], str] = str.casefold
    """What two spellings of one value have in common."""
    needs_digit: bool = False
    """Whether `find` finds nothing in a text without a digit: most texts have none and are not searched at all."""


def spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """Where the pattern matches: its group `value` if it has one, else all of it."""
    group = "value" if "value" in pattern.groupindex else 0
    return (match.span(group) for match in pattern.finditer(text))


def labelled(labels: str, value: str) -> re.Pattern[str]:
    """The group `value` in `label: value`, `label=value`, `"label": "value"`; a label may follow `_` (`user_phone`)."""
    return re.compile(rf"(?i:(?<![^\W_])(?:{labels}))[\"']?[ \t]{{0,3}}[:=][ \t]{{0,3}}[\"']?(?P<value>{value})")


def has_any(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words, in small letters, stands in the text: far cheaper than a pattern that needs one."""
    folded = text.casefold()
    return any(word in folded for word in words)


def alphanumerics(value: str) -> str:
    """The value without spaces, dots and dashes, in one case."""
    return re.sub(r"[\W_]", "", value).casefold()
