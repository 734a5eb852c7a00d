"""Scrubbing of one conversation, in which equal values get equal numbers."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from turnabout.scrubbing.findings import Finding, find_personal_data
from turnabout.scrubbing.json_text import scrub_json
from turnabout.scrubbing.kinds import KINDS


class ConversationScrubber:
    """Replaces personal data in the messages of one conversation, in order.

    It remembers the number of each value and the full names seen so far.
    """

    def __init__(self, known_names: Collection[str] = ()) -> None:
        """Start a conversation.

        `known_names`, full names in lower case, are replaced wherever they occur.
        """
        self.kinds: Collection[str] = ()
        self.known_names = known_names
        self.full_names: set[str] = set()
        self.numbers: dict[str, dict[str, int]] = {}
        self.counts: Counter[str] = Counter()

    def scrub_message(self, message: dict[str, Any], kinds: Collection[str]) -> dict[str, Any]:
        """Return the texts of a message with the values of these kinds replaced.

        The texts are scrubbed in a fixed order, which decides how the placeholders are numbered.
        """
        self.kinds = kinds
        return {
            "text": self.scrub_text(message["text"]),
            "edited_text": self.scrub_text(message["edited_text"]),
            "alternatives": message["alternatives"] and [self.scrub_text(reply) for reply in message["alternatives"]],
            "extras": message["extras"] and scrub_json(message["extras"], self.scrub_text, self.scrub_number),
        }

    def scrub_text(self, text: str | None, label: str = "") -> str | None:
        """Return the text with placeholders.

        `label` is the name of the field that holds the text. The search is repeated until it finds nothing: a
        placeholder ends a word, so the text next to it may now match.
        """
        prefix = f'{label}: "' if label else ""
        while text:
            findings = find_personal_data(prefix + text, self.kinds, self.known_names)
            in_text = [finding for finding in findings if finding.start >= len(prefix)]
            if not in_text:
                break
            text = self._replace_findings(prefix + text, in_text)[len(prefix) :]
        return text

    def scrub_number(self, digits: str, label: str) -> str | None:
        """Return the placeholder of a JSON number, or None if it stays.

        A number is replaced only if its field is named after a kind (`phone`): ids and times have the same form.
        """
        if len(digits) < 4:
            return None
        for kind in self.kinds:
            if KINDS[kind].labels and re.fullmatch(rf"(?i)(?:.*[_ .-])?(?:{KINDS[kind].labels})", label):
                return self._assign_placeholder(kind, digits)
        return None

    def _replace_findings(self, text: str, findings: Iterable[Finding]) -> str:
        pieces, end = [], 0
        for finding in findings:
            value = text[finding.start : finding.end]
            pieces += [text[end : finding.start], self._assign_placeholder(finding.kind, value)]
            end = finding.end
        return "".join([*pieces, text[end:]])

    def _assign_placeholder(self, kind: str, value: str) -> str:
        normal_form = KINDS[kind].normalize(value)
        known = self.numbers.setdefault(kind, {})
        self.counts[kind] += 1
        if kind == "name" and " " in normal_form:
            self.full_names.add(normal_form)
        return f"<{kind}_{known.setdefault(normal_form, len(known) + 1)}>"
