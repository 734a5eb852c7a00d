"""What is personal in one text: disjoint findings of the wanted kinds."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from turnabout.scrubbing.base import has_any
from turnabout.scrubbing.kinds import KINDS

PLACEHOLDER = re.compile(rf"<(?:{'|'.join(KINDS)})_\d+>")
WORD = re.compile(r"\w[\w'’-]*")
MAX_WORDS = 5


class Finding(NamedTuple):
    """A span of the text; `kind` is empty where a placeholder stands already."""

    start: int
    end: int
    kind: str


def findings(text: str, kinds: Collection[str], names: Collection[str] = ()) -> list[Finding]:
    """In order; of two that overlap the longer stays, of equal ones the earlier kind's. `names` are known people's."""
    found = [Finding(*match.span(), "") for match in PLACEHOLDER.finditer(text)]
    found += [Finding(*span, kind) for kind in KINDS if kind in kinds for span in KINDS[kind].find(text)]
    found += [Finding(*span, "name") for span in _mentions(text, names)]
    return [finding for finding in _disjoint(sorted(found, key=lambda finding: finding.start)) if finding.kind]


def _mentions(text: str, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where one of the names (of two or more words, in small letters) stands in the text."""
    begins = {_first_word(name) for name in names}
    words = list(WORD.finditer(text)) if has_any(text, begins) else []
    for first in range(len(words)):
        if _first_word(words[first].group()) not in begins:
            continue
        for last in words[first + 1 : first + MAX_WORDS]:
            if " ".join(text[words[first].start() : last.end()].casefold().split()) in names:
                yield words[first].start(), last.end()


def _first_word(name: str) -> str:
    """How a name begins; small letters may hold marks that are no letters."""
    found = WORD.match(name.casefold())
    return found.group() if found else ""


def _disjoint(found: Iterable[Finding]) -> Iterator[Finding]:
    """One of each group that overlaps. A placeholder never yields, so that scrubbing twice changes nothing."""
    kept: Finding | None = None
    for finding in found:
        if kept is None or finding.start >= kept.end:
            if kept:
                yield kept
            kept = finding
        elif kept.kind and (not finding.kind or finding.end - finding.start > kept.end - kept.start):
            kept = finding
    if kept:
        yield kept
