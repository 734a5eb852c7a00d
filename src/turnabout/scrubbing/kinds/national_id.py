"""Numbers that a state gives to a person.

Found are numbers with a checksum or a strict form, and any number after a cue such as "passport".
"""

import re
from collections.abc import Iterator
from types import ModuleType

from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.mx import curp
from stdnum.pl import pesel
from stdnum.se import personnummer

from turnabout.scrubbing.base import Kind, Span, find_spans, has_any, keep_alphanumerics

#: The forms of numbers with a checksum, and the module that verifies it.
CHECKSUM_FORMS: dict[str, ModuleType] = {
    r"\d{3}\.\d{3}\.\d{3}-\d\d": cpf,
    r"756\.\d{4}\.\d{4}\.\d\d": ahv,
    r"\d{8}-?[A-Z]": dni,
    r"[XYZ]-?\d{7}-?[A-Z]": nie,
    r"[12][ ]?\d\d[ ]?\d\d[ ]?\d[\dAB][ ]?\d{3}[ ]?\d{3}[ ]?\d\d": nir,
    r"\d{4}[ ]\d{4}[ ]\d{4}": aadhaar,
    r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]": codicefiscale,
    r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d": curp,
    r"\d{11}": pesel,
    r"\d{6}[-+]\d{4}": personnummer,
}


def _compile_standalone(form: str) -> re.Pattern[str]:
    """Compile a pattern of the form without adjoining letters or digits."""
    return re.compile(rf"(?<![\w.,/+-])(?:{form})(?![\w]|[.,/-]\d|[ ]\d)")


CHECKS = [(_compile_standalone(form), number.is_valid) for form, number in CHECKSUM_FORMS.items()]
#: All forms in one pattern, searched first: most texts hold none.
ANY_FORM = _compile_standalone("|".join(CHECKSUM_FORMS))
STRICT = re.compile(
    r"""
    (?<![\w.+-])(?:
        (?!000|666)\d{3}-(?!00)\d\d-(?!0000)\d{4}                                                # United States
        | (?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:[ ]?\d\d){3}[ ]?[A-D]   # United Kingdom
    )(?![\w-])
    """,
    re.X,
)
CUE = (
    r"ssn|social[ _]security|passport|reisepass|passeport|pasaporte|passaporto|paszport"
    r"|driv(?:er|ing)(?:'?s)?[ _]licen[cs]e"
    r"|führerschein|national[ _]insurance|nhs|pesel|cpf|bsn|burgerservicenummer|dni|nie|numéro[ ]de[ ]sécu|curp|aadhaar"
    r"|personnummer|steuer-?id|tax[ _]id|codice[ ]fiscale|ahv-nr|national[ _]id|id[ _]card"
)
#: Every cue contains one of these.
CUE_WORDS = (
    *("ssn", "social", "pass", "pasaporte", "paszport", "licen", "führerschein", "insurance", "nhs", "pesel", "cpf"),
    *("bsn", "burgerservice", "dni", "nie", "sécu", "curp", "aadhaar", "personnummer", "steuer", "tax", "codice"),
    *("ahv", "national", "id card", "id_card"),
)
AFTER_CUE = re.compile(
    rf"""
    (?<![^\W_])(?i:(?:{CUE})(?:[ _-]?(?:number|num|no|nr|id|do[ ]cliente))?)
    ["']?[.:=#]?[ ]{{0,2}}(?i:[:=][ ]?|(?:is|es|ist|é|är)[ ])?["']?
    (?P<value>\d(?:[ .-]?\d){{6,14}}(?!\w)|(?=(?:[A-Z-]*\d){{2}})[A-Z0-9][A-Z0-9-]{{5,18}}(?!\w))
    """,
    re.X,
)


def find_national_ids(text: str) -> Iterator[Span]:
    """Yield the spans of numbers with a valid checksum, a strict form, or a cue."""
    for pattern, is_valid in CHECKS if ANY_FORM.search(text) else ():
        yield from (span for span in find_spans(pattern, text) if is_valid(text[slice(*span)]))
    yield from find_spans(STRICT, text)
    if has_any(text, CUE_WORDS):
        yield from find_spans(AFTER_CUE, text)


KIND = Kind(
    rf"\d(?:[ .+-]?\d){{6}}|\d\d ?\d\d ?[A-D]\b|[A-Z]{{4}}\d\d|\b(?i:{CUE})\b",
    find_national_ids,
    labels=CUE,
    normalize=keep_alphanumerics,
    needs_digit=True,
)
