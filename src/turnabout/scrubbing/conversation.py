"""One conversation's placeholders: the same value bears the same number in all its messages."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from turnabout.scrubbing.findings import Finding, findings
from turnabout.scrubbing.json_text import scrub_json
from turnabout.scrubbing.kinds import KINDS


class Conversation:
    """What one conversation has shown so far: which value bears which number, and who is named in full."""

    def __init__(self, names: Collection[str] = ()) -> None:
        """`names` are people known beforehand; their names are replaced wherever they stand."""
        self.kinds: Collection[str] = ()
        self.known_names = names
        self.full_names: set[str] = set()
        self.numbers: dict[str, dict[str, int]] = {}
        self.counts: Counter[str] = Counter()

    def scrub(self, message: dict[str, Any], kinds: Collection[str]) -> dict[str, Any]:
        """The texts of one message with values of these kinds replaced, in a fixed order."""
        self.kinds = kinds
        return {
            "text": self.text(message["text"]),
            "edited_text": self.text(message["edited_text"]),
            "alternatives": message["alternatives"] and [self.text(reply) for reply in message["alternatives"]],
            "extras": message["extras"] and scrub_json(message["extras"], self.text, self.number),
        }

    def text(self, text: str | None, label: str = "") -> str | None:
        """The text with placeholders; `label` is the name of the field that it is the value of.

        Repeated until nothing is found: a placeholder ends a word, which may lay bare what stood beside it.
        """
        prefix = f'{label}: "' if label else ""
        while text and (found := [f for f in self._findings(prefix + text) if f.start >= len(prefix)]):
            text = self._replaced(prefix + text, found)[len(prefix) :]
        return text

    def number(self, digits: str, label: str) -> str | None:
        """The placeholder of a JSON number whose field is named after a kind (`phone`), else None: ids, times stay."""
        if len(digits) < 4:
            return None
        for kind in self.kinds:
            if KINDS[kind].labels and re.fullmatch(rf"(?i)(?:.*[_ .-])?(?:{KINDS[kind].labels})", label):
                return self._placeholder(kind, digits)
        return None

    def _findings(self, text: str) -> list[Finding]:
        return findings(text, self.kinds, self.known_names)

    def _replaced(self, text: str, found: Iterable[Finding]) -> str:
        pieces, end = [], 0
        for finding in found:
            pieces += [text[end : finding.start], self._placeholder(finding.kind, text[finding.start : finding.end])]
            end = finding.end
        return "".join([*pieces, text[end:]])

    def _placeholder(self, kind: str, value: str) -> str:
        same = KINDS[kind].same(value)
        known = self.numbers.setdefault(kind, {})
        self.counts[kind] += 1
        if kind == "name" and " " in same:
            self.full_names.add(same)
        return f"<{kind}_{known.setdefault(same, len(known) + 1)}>"
