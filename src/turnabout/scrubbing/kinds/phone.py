"""Phone numbers.

Found are international numbers, national numbers in a form that hardly anything else has, and any number after a cue
such as "phone" or "call me".
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from turnabout.scrubbing.base import Kind, Span, find_spans, has_any, label_pattern

INTERNATIONAL = re.compile(r"(?<![A-Za-z0-9_.,/+-])(?:\+|00)[1-9](?:[ ./()-]{0,2}\d){6,14}(?!\w|[.,/:-]\d)")
NATIONAL = re.compile(
    r"""
    (?<![A-Za-z0-9_.,/$€£+-])(?:
        (?!\d+\.\d{5})(?:1[ .-]?)?                                       # 1-555-234-5678, but not 555.2345678
            (?:\([2-9]\d\d\)[ ]?|[2-9]\d\d[ .-]?)[2-9]\d\d[ .-]?\d{4}    # (555) 234-5678, 5552345678
        | [2-9]\d\d-(?!\d\d00)\d{4}                                      # 555-1234, but not the range 500-1000
        | \(\d\d\)[ ]?\d{4,5}-\d{4}                                      # (11) 91234-5678
        | (?!\d\d[./-]\d\d[./-]\d{4})\(?0[1-9](?:[ ./()-]{0,2}\d){7,9}   # 06 12 34 56 78, but not 01.02.2018
    )(?![A-Za-z0-9_]|[.,/:-]\d)
    """,
    re.X,
)
LABELS = (
    r"(?:tele)?phone(?:[ _-]?(?:no|number|nr))?|phoneNumber|tel|mobile|mobil|cell|fax|handy|telefon|teléfono|móvil"
    r"|téléphone|portable|telefono|cellulare|celular|telefone|whatsapp|numer"
)
DIGITS = r"\+?\(?\d(?:[ ./()-]{0,2}\d){6,14}(?!\w|[.,/:-]\d)"
LABELLED = label_pattern(LABELS, DIGITS)
AFTER_CUE = re.compile(
    rf"(?i)\b(?:{LABELS}|call(?: me)?|text(?: me)?|dial|ring|reach me|my (?:number|no|cell)|mi número|ll[aá]mame"
    rf"|chiamami|zadzwoń|ligue|appelez|bel me|mój numer)(?: ?(?:me|at|on|is|es|to|al|op|por|o|le|das?|:|-|=)){{0,2}}"
    rf"[ :.]{{0,3}}(?P<value>{DIGITS})"
)

#: Every text in which `LABELLED` or `AFTER_CUE` finds a number contains one of these.
CUE_WORDS = (
    *(
        "phone",
        "tel",
        "tél",
        "mobil",
        "móvil",
        "cell",
        "celular",
        "fax",
        "handy",
        "portable",
        "whatsapp",
        "numer",
        "number",
    ),
    *("call", "text", "dial", "ring", "reach me", "my no", "número", "llama", "lláma", "chiamami", "zadzwoń", "ligue"),
    *("appelez", "bel me"),
)


def find_phones(text: str) -> Iterator[Span]:
    """Yield the spans of phone numbers.

    A national number needs its form or a cue. An international number needs a length that is possible in its country.
    """
    yield from (span for span in find_spans(NATIONAL, text) if len(set(_keep_digits(text[slice(*span)]))) > 2)
    if has_any(text, CUE_WORDS):
        yield from find_spans(LABELLED, text) if has_any(text, ":=") else ()
        yield from find_spans(AFTER_CUE, text)
    yield from (span for span in find_spans(INTERNATIONAL, text) if _is_possible(text[slice(*span)]))


def _keep_digits(value: str) -> str:
    return re.sub(r"\D", "", value)


@lru_cache(maxsize=10_000)
def _is_possible(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(re.sub("^00", "+", number.replace("(0)", "")))
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(parsed)


KIND = Kind(r"\d(?:\D{0,2}\d){6}", find_phones, labels=LABELS, normalize=_keep_digits, needs_digit=True)
