"""Numbers a state gives to a person: those with a checksum or a strict form, and any after the word for it."""

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

from turnabout.scrubbing.base import Kind, Span, alphanumerics, has_any, spans

#: Form and checksum.
CHECKED: dict[str, ModuleType] = {
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


def _alone(form: str) -> re.Pattern[str]:
    """The form where no letters or digits go on round it."""
    return re.compile(rf"(?<![\w.,/+-])(?:{form})(?![\w]|[.,/-]\d|[ ]\d)")


CHECKS = [(_alone(form), number.is_valid) for form, number in CHECKED.items()]
#: One search for all of them first: most texts hold none.
ANY_FORM = _alone("|".join(CHECKED))
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
#: One of these stands in every cue.
CUE_WORDS = (
    *("ssn", "social", "pass", "pasaporte", "paszport", "licen", "führerschein", "insurance", "nhs", "pesel", "cpf"),
    *("bsn", "burgerservice", "dni", "nie", "sécu", "curp", "aadhaar", "personnummer", "steuer", "tax", "codice"),
    *("ahv", "national", "id card", "id_card"),
)
SAID = re.compile(
    rf"""
    (?<![^\W_])(?i:(?:{CUE})(?:[ _-]?(?:number|num|no|nr|id|do[ ]cliente))?)
    ["']?[.:=#]?[ ]{{0,2}}(?i:[:=][ ]?|(?:is|es|ist|é|är)[ ])?["']?
    (?P<value>\d(?:[ .-]?\d){{6,14}}(?!\w)|(?=(?:[A-Z-]*\d){{2}})[A-Z0-9][A-Z0-9-]{{5,18}}(?!\w))
    """,
    re.X,
)


def find(text: str) -> Iterator[Span]:
    """Spans of numbers that hold their check, have a form of their own, or are named."""
    for pattern, is_valid in CHECKS if ANY_FORM.search(text) else ():
        yield from (span for span in spans(pattern, text) if is_valid(text[slice(*span)]))
    yield from spans(STRICT, text)
    if has_any(text, CUE_WORDS):
        yield from spans(SAID, text)


KIND = Kind(
    rf"\d(?:[ .+-]?\d){{6}}|\d\d ?\d\d ?[A-D]\b|[A-Z]{{4}}\d\d|\b(?i:{CUE})\b",
    find,
    CUE,
    alphanumerics,
    needs_digit=True,
)
