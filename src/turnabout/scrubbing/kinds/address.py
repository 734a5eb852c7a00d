"""Street addresses in the forms of several countries.

The span includes the postcode and the town if they follow the street.
"""

import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span, find_spans, label_pattern

UPPER = "A-ZÀ-ÖØ-ÞĄĆĘŁŃŚŹŻ"
WORD = rf"[{UPPER}][\w'’.-]{{1,30}}"
TOWN = rf"{WORD}(?: (?:am|an der|sur|de|la|{WORD})){{0,3}}"
LITTLE = r"(?:de|du|des|del|della|delle|dei|das|dos|da|do|la|le|les|el|l'|van|von|der|den|y|e)"
NAME = rf"(?: (?:{LITTLE}|(?:[ld]['’])?{WORD})){{1,5}}"
NUMBER = r"\d{1,4}(?: ?[a-zA-Z](?!\w))?(?:/\d{1,4}| m\. \d{1,4})?"
AFTER = rf"(?:, (?:\d{{5}}|\d{{4}} [A-Z]{{2}}|\d{{4}}|\d\d-\d{{3}}|\d{{4}}-\d{{3}}) {TOWN})?"
UNIT = r"(?:Apt|Apartment|Unit|Suite|Ste|Flat|#)\.? ?[\w-]{1,6}"
ENGLISH_CODE = r"(?:[A-Z]{2} \d{5}(?:-\d{4})?|[A-Z]{1,2}\d[\dA-Z]? \d[A-Z]{2}|\d{4})(?!\w)"
ENGLISH_AFTER = rf"(?:,? {UNIT})?(?:(?:, {TOWN}){{0,2}},? {ENGLISH_CODE})?"
ROADS = (
    "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Crescent|Close"
    "|Parkway|Pkwy|Highway|Hwy|Circle|Trail|Gardens|Grove|Mews"
)
ROMANCE = (
    r"Calle|C/|Avenida|Avda\.|Av\.|Plaza|Paseo|Rua|Travessa|Praça|Via|Viale|Piazza|Corso|Largo|ul\.|al\.|pl\.|os\."
)
FRENCH = r"rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route"
GERMAN = r"(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm|gracht|straat|laan|plein|kade)"

SHAPES = [
    re.compile(rf"(?<![\w/.-]){shape}")
    for shape in (
        rf"(?:{UNIT}, )?\d{{1,5}}[A-Za-z]?(?: [NSEW]{{1,2}}\.?)?(?: (?!(?:{ROADS})\b){WORD}){{1,3}}"
        rf" (?:{ROADS})\b\.?{ENGLISH_AFTER}",
        rf"P\.? ?O\.? ?Box \d{{1,6}}{ENGLISH_AFTER}",
        rf"\d{{1,4}}(?: ?(?:bis|ter))?,? (?:{FRENCH}){NAME}{AFTER}",
        rf"(?:{ROMANCE}){NAME},? {NUMBER}{AFTER}",
        rf"[{UPPER}][\w-]{{1,30}}(?:{GERMAN}|Straße|Str\.) {NUMBER}(?!\w){AFTER}",
        rf"{WORD}(?: {WORD}){{0,3}} {NUMBER}, (?:\d{{5}}|\d{{4}} [A-Z]{{2}}) {TOWN}",
    )
]
LABELS = (
    r"(?:(?:street|home|postal|mailing|shipping|billing)[ _-]?)?address|street"
    r"|adresse|anschrift|dirección|indirizzo|adres"
)
LABELLED = label_pattern(LABELS, rf"\d{{1,5}}[A-Za-z]? [{UPPER}](?:[^\n\";|<>.]|\.(?! [A-Z])){{3,90}}")


def find_addresses(text: str) -> Iterator[Span]:
    """Yield the spans from the house number or street to the end of the address."""
    for shape in SHAPES:
        yield from find_spans(shape, text)
    yield from find_spans(LABELLED, text)


KIND = Kind(
    rf"\d.* (?:{ROADS})\b|Box \d|\d,? (?:{FRENCH}) |(?:{ROMANCE}) .*\d|{GERMAN} \d"
    rf"|\w \d{{1,4}}[^,]{{0,8}}, \d{{4}}|(?i:(?:{LABELS})[\"']?\s{{0,3}}[:=])",
    find_addresses,
    needs_digit=True,
)
