"""Search for personal data of the requested kinds in one text."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from turnabout.scrubbing.base import has_any
from turnabout.scrubbing.kinds import KINDS

PLACEHOLDER = re.compile(rf"<(?:{'|'.join(KINDS)})_\d+>")
WORD = re.compile(r"\w[\w'’-]*")
MAX_WORDS = 5


class Finding(NamedTuple):
    """A span of a text and its kind, which is empty for a placeholder."""

    start: int
    end: int
    kind: str


def find_personal_data(text: str, kinds: Collection[str], known_names: Collection[str] = ()) -> list[Finding]:
    """Return the findings of the given kinds, in order and without overlaps.

    Of two findings that overlap the longer is kept; of two equal spans, the kind that comes first in `KINDS`.
    `known_names` are full names in lower case, which count as findings of the kind `name`.
    """
    candidates = [Finding(*match.span(), "") for match in PLACEHOLDER.finditer(text)]
    for kind in KINDS:
        if kind in kinds:
            candidates += [Finding(*span, kind) for span in KINDS[kind].find(text)]
    candidates += [Finding(*span, "name") for span in _find_known_names(text, known_names)]
    in_order = sorted(candidates, key=lambda finding: finding.start)
    return [finding for finding in _drop_overlaps(in_order) if finding.kind]


def _find_known_names(text: str, known_names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the known names.

    Each name has two or more words in lower case.
    """
    first_words = {_first_word(name) for name in known_names}
    words = list(WORD.finditer(text)) if has_any(text, first_words) else []
    for first in range(len(words)):
        if _first_word(words[first].group()) not in first_words:
            continue
        for last in words[first + 1 : first + MAX_WORDS]:
            if " ".join(text[words[first].start() : last.end()].casefold().split()) in known_names:
                yield words[first].start(), last.end()


def _first_word(name: str) -> str:
    """Return the first word of a name in lower case.

    Lower-casing may add marks that are not letters, so the word is searched for after it.
    """
    match = WORD.match(name.casefold())
    return match.group() if match else ""


def _drop_overlaps(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding of each overlapping group.

    `findings` are sorted by start. A placeholder always wins, so that scrubbing a text twice changes nothing.
    """
    kept: Finding | None = None
    for finding in findings:
        if kept is None or finding.start >= kept.end:
            if kept:
                yield kept
            kept = finding
        elif kept.kind and (not finding.kind or finding.end - finding.start > kept.end - kept.start):
            kept = finding
    if kept:
        yield kept
