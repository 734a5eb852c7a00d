"""International bank account numbers (ISO 13616).

A number has the length and form of its country and a valid checksum modulo 97.
"""

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban, numdb

from turnabout.scrubbing.base import Kind, Span, keep_alphanumerics

START = re.compile(r"(?<![A-Za-z0-9])(?=([A-Za-z]{2})\d\d[ -]?[A-Za-z0-9])")


def find_ibans(text: str) -> Iterator[Span]:
    """Yield the spans of valid numbers, written in one run or in groups."""
    for start in START.finditer(text):
        pattern = _compile_country_pattern(start[1].upper())
        match = pattern and pattern.match(text, start.start())
        if match and iban.is_valid(match.group().replace("-", ""), check_country=False):
            yield match.span()


@cache
def _compile_country_pattern(country: str) -> re.Pattern[str] | None:
    """Compile a pattern for the country, or return None if it has no IBAN."""
    entry = numdb.get("iban").info(country)[0][1]
    if not entry:
        return None
    length = sum(map(int, re.findall(r"(\d+)!", entry["bban"])))
    return re.compile(rf"[A-Za-z]{{2}}\d\d(?:[ -]?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9])")


KIND = Kind(r"[A-Za-z]{2}\d\d[ -]?[A-Za-z0-9]{4}", find_ibans, normalize=keep_alphanumerics, needs_digit=True)
