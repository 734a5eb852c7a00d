"""Names of people next to a cue, such as "my name is" or a salutation.

A name without a cue takes a model to find, and none is used.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain

from turnabout.scrubbing.base import Kind, Span, has_any, label_pattern

STRONG = (
    r"my(?: full| first| last)? name(?: is|'s|’s)|name(?:'s|’s)|call me|ich heiße|mein name ist"
    r"|je m['’]appelle|me llamo|mi nombre es"
    r"|mi chiamo|il mio nome è|nazywam się|mam na imię|meu nome é|(?:eu )?me chamo"
    r"|mijn naam is|ik heet|jag heter|меня зовут"
)
WEAK = r"i['’]?m|i am|this is|it['’]?s|ich bin(?: die| der)?|je suis|moi c['’]est|(?:yo )?soy|sono|ik ben|eu sou"
TITLE = (
    r"(?:(?:Mrs?|Ms|Mx|Dr|Prof|Sra?|Sig|mrs?|dr|prof)\b\.?"
    r"|(?:Miss|Professor|Herr|Frau|Madame|Monsieur|Mme|Señora?|Pani?|Signora?)\b)"
)
SALUTATION = (
    r"(?:dear|liebe[r]?|sehr geehrte[r]?|ch[eè]re?|querid[oa]|estimad[oa]|car[oa]"
    r"|(?P<hello>hi|hello|hey|bonjour|hola|ciao|hallo))"
)
CLOSING = (
    r"(?:(?:best|kind|warm|warmest|many) )?(?:regards|wishes|thanks)|best|sincerely"
    r"|yours(?: sincerely| truly| faithfully)?"
    r"|cheers|thank you|mit freundlichen grüßen|viele grüße|liebe grüße|lg|mfg|cordialement|bien à vous|saludos"
    r"|un saludo|atentamente|saluti|cordiali saluti|distinti saluti|pozdrawiam|z poważaniem|abraços|atenciosamente"
    r"|groetjes|met vriendelijke groet"
)
CUED = re.compile(
    rf"(?<!\w)(?:(?P<strong>(?i:{STRONG}))|(?P<weak>(?i:{WEAK}))|(?i:{SALUTATION})|{TITLE}) (?:{TITLE} ){{0,2}}(?=\w)"
)
CLOSED = re.compile(rf"(?im)^[ \t]*(?:{CLOSING})[ \t]*[,.!]?[ \t]*\n\s{{0,4}}(?=\w)")
DISPLAYED = re.compile(r"(?P<value>[^\W\d_][\w.'’-]{0,30}(?: [^\W\d_][\w.'’-]{0,30}){0,3})[\"']? ?$")
BEFORE_ADDRESS = re.compile(r"<(?=[^\s<>@]{1,64}@)")
LABELS = (
    r"(?:full|first|last|given|family|middle|sur)[ _-]?name"
    r"|(?:customer|contact|patient|client|employee)(?:[ _-]?(?:name|person))?"
    r"|vorname|nachname|prénom|apellidos?|cognome|imię|nazwisko|sobrenome|nombre|passenger|attn"
)
LABELLED = label_pattern(LABELS, rf"(?:{TITLE} )?(?=\w)")
BARE_LABEL = re.compile(
    r"(?i)(?:^|[\n{,;.(]|\b(?:your|his|her|my))[ \t]{0,8}[\"']?name[\"']?[ ]{0,2}[:=][ ]{0,2}[\"']?(?=\w)"
)

WORD = re.compile(r"[^\W\d_][^\W\d_'’-]*(?:['’-][^\W\d_]+)*")
PARTICLES = set("de del della di da dos das la le van von der den ter bin ibn al el y e".split())
ENDS_NAME = re.compile(r"\s*$|\s*[.,!?;:)\n\"']|,? (?:from|and|but|here|speaking|und|aus|y|et|e|i|en)\b")
LINE_ENDS = re.compile(r"[ \t,.]*(?:\n|$)")
SPEAKS = re.compile(r",? (?:speaking|from|here|calling)\b")
#: Words that follow a cue with a capital letter and are not names.
NOT_NAMES = frozenset((files(__package__) / "words_not_names.txt").read_text(encoding="utf-8").split())
#: Single words with the ending of an adjective or participle ("I'm Looking").
ADJECTIVE_OR_PARTICIPLE = re.compile(r"[^\W\d_]{3,}(?:ing|ful|less|ish|ous|ive|able)$")


def find_names(text: str) -> Iterator[Span]:
    """Yield the spans of names next to a cue.

    Cues before a name are an introduction, a salutation, a closing and a label; a cue after it is an e-mail address in
    angle brackets.
    """
    in_fields = _find_field_values(text) if has_any(text, ":=") else ()
    yield from chain(_find_introduced_names(text), _find_signatures(text), in_fields, _find_display_names(text))


def _find_introduced_names(text: str) -> Iterator[Span]:
    """Yield the spans of names after an introduction or a salutation.

    A strong cue ("my name is") takes any name. "I'm …" and "hi …" take a full name, or a single name that ends the
    sentence.
    """
    for cue in CUED.finditer(text):
        end = _find_name_end(text, cue.end()) or (_find_lowercase_name_end(text, cue.end()) if cue["strong"] else None)
        if end and (cue["strong"] or _is_likely(text, cue, end)):
            yield cue.end(), end


def _is_likely(text: str, cue: re.Match[str], end: int) -> bool:
    name = text[cue.end() : end]
    if len(name) < 2 or ((cue["weak"] or cue["hello"]) and (name.isupper() or ADJECTIVE_OR_PARTICIPLE.match(name))):
        return False
    if cue["weak"] and cue["weak"].casefold().startswith(("this", "it")):
        return bool(SPEAKS.match(text, end))
    return not (cue["weak"] or cue["hello"]) or " " in name or bool(ENDS_NAME.match(text, end))


def _find_signatures(text: str) -> Iterator[Span]:
    """Yield the spans of names that stand alone on the line after a closing."""
    for closing in CLOSED.finditer(text):
        end = _find_name_end(text, closing.end())
        if end and LINE_ENDS.match(text, end):
            yield closing.end(), end


def _find_field_values(text: str) -> Iterator[Span]:
    """Yield the spans of the values of fields for names.

    A field called only `name` must hold a full name, because things have names too.
    """
    for label in LABELLED.finditer(text):
        if end := _find_name_end(text, label.end()):
            yield label.end(), end
    for label in BARE_LABEL.finditer(text):
        end = _find_name_end(text, label.end())
        if end and " " in text[label.end() : end]:
            yield label.end(), end


def _find_display_names(text: str) -> Iterator[Span]:
    """Yield the spans of display names, such as `Ann Lee` in `Ann Lee <ann@…>`."""
    for bracket in BEFORE_ADDRESS.finditer(text):
        begin = max(0, bracket.start() - 80)
        name = DISPLAYED.search(text[begin : bracket.start()])
        if name and name["value"][0].isupper() and _find_name_end(name["value"], 0):
            yield begin + name.start("value"), begin + name.end("value")


def _find_name_end(text: str, begin: int) -> int | None:
    """Return where the name that begins here ends; None if no name begins here.

    A name has up to four capitalised words, with particles such as "de" between them.
    """
    end, position = None, begin
    for _ in range(5):
        word = WORD.match(text, position)
        if not word:
            break
        is_name = word.group()[0].isupper() and re.sub(r"['’]", "", word.group().casefold()) not in NOT_NAMES
        if is_name:
            end = word.end()
        elif end is None or word.group() not in PARTICLES:
            break
        position = word.end()
        if text[position : position + 1] != " ":
            break
        position += 1
    return end


def _find_lowercase_name_end(text: str, begin: int) -> int | None:
    """Return where a lower-case word ends if it may be a name, else None.

    It may be a name if it ends the sentence and does not follow "call me".
    """
    word = WORD.match(text, begin)
    if not word or word.group() in NOT_NAMES or text.endswith(" me ", 0, begin):
        return None
    return word.end() if ENDS_NAME.match(text, word.end()) else None


KIND = Kind(
    rf"(?i:{STRONG}) \w|(?:(?i:{WEAK}|{SALUTATION.replace('?P<hello>', '?:')})|{TITLE}) \p{{Lu}}|{TITLE} \w"
    rf"|(?i:(?:{CLOSING})[ \t]*[,.!]?[ \t]*\n|(?:{LABELS}|name)[\"']?\s{{0,3}}[:=])|<[^\s<>@]{{1,64}}@",
    find_names,
    normalize=lambda value: " ".join(value.casefold().split()),
)
