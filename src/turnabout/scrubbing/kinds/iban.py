"""International bank account numbers (ISO 13616): the country's length and form, and the checksum modulo 97."""

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban, numdb

from turnabout.scrubbing.base import Kind, Span, alphanumerics

START = re.compile(r"(?<![A-Za-z0-9])(?=([A-Za-z]{2})\d\d[ -]?[A-Za-z0-9])")


def find(text: str) -> Iterator[Span]:
    """Spans of valid numbers, in one run or in groups."""
    for start in START.finditer(text):
        shape = _shape(start[1].upper())
        match = shape and shape.match(text, start.start())
        if match and iban.is_valid(match.group().replace("-", ""), check_country=False):
            yield match.span()


@cache
def _shape(country: str) -> re.Pattern[str] | None:
    """As many letters and digits as the country's numbers have; None where the country has none."""
    entry = numdb.get("iban").info(country)[0][1]
    if not entry:
        return None
    length = sum(map(int, re.findall(r"(\d+)!", entry["bban"])))
    return re.compile(rf"[A-Za-z]{{2}}\d\d(?:[ -]?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9])")


KIND = Kind(r"[A-Za-z]{2}\d\d[ -]?[A-Za-z0-9]{4}", find, same=alphanumerics, needs_digit=True)
