"""Payment card numbers: prefix and length of a network, Luhn checksum."""

import re
from collections.abc import Iterator

from stdnum import luhn

from turnabout.scrubbing.base import Kind, Span, keep_alphanumerics

CANDIDATE = re.compile(
    r"""
    (?<![\w.,/+-])(?:
        (?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6[024-5]\d\d|35\d\d)([ -]?)\d{4}\1\d{4}\1\d{4}   # Visa, Mastercard, JCB, …
        | 3[47]\d\d([ -]?)\d{6}\2\d{5}                                                     # American Express
        | 3[068]\d\d([ -]?)\d{6}\3\d{4}                                                    # Diners Club
    )(?![\w]|[.,-]\d)
    """,
    re.X,
)
LABELS = r"card(?:[ _-]?(?:no|nr|number|num))?|pan|cardNumber"


def find_cards(text: str) -> Iterator[Span]:
    """Yield the spans of numbers with a valid check digit."""
    for match in CANDIDATE.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield match.span()


KIND = Kind(r"\d{4}[ -]?\d{4}", find_cards, labels=LABELS, normalize=keep_alphanumerics, needs_digit=True)
