"""Phone numbers: international ones, national shapes that hardly anything else has, and any after a word for phone."""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from turnabout.scrubbing.base import Kind, Span, has_any, labelled, spans

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
LABELLED = labelled(LABELS, DIGITS)
SAID = re.compile(
    rf"(?i)\b(?:{LABELS}|call(?: me)?|text(?: me)?|dial|ring|reach me|my (?:number|no|cell)|mi número|ll[aá]mame"
    rf"|chiamami|zadzwoń|ligue|appelez|bel me|mój numer)(?: ?(?:me|at|on|is|es|to|al|op|por|o|le|das?|:|-|=)){{0,2}}"
    rf"[ :.]{{0,3}}(?P<value>{DIGITS})"
)

#: One of these stands in every text that `LABELLED` or `SAID` finds something in.
WORDS = (
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


def find(text: str) -> Iterator[Span]:
    """A national number needs its shape or a word for phone; an international one a possible length in its country."""
    yield from (span for span in spans(NATIONAL, text) if len(set(_digits(text[slice(*span)]))) > 2)
    if has_any(text, WORDS):
        yield from spans(LABELLED, text) if has_any(text, ":=") else ()
        yield from spans(SAID, text)
    yield from (span for span in spans(INTERNATIONAL, text) if _is_possible(text[slice(*span)]))


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


@lru_cache(maxsize=10_000)
def _is_possible(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(re.sub("^00", "+", number.replace("(0)", "")))
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(parsed)


KIND = Kind(r"\d(?:\D{0,2}\d){6}", find, LABELS, _digits, needs_digit=True)
