"""Reasons for leaving out records or pairs, grouped for the page."""

import re
from collections.abc import Iterable

#: Reasons that name another row (a conversation, a person, an evaluation set, a pair), and their form without its id.
#: They are written by the filters of `cleaning` and of `quality`. A person's id must not be on the page.
REASONS_WITH_ID = {
    re.compile(r"((?:nearly the )?same messages as another conversation): .*", re.DOTALL): r"\1",
    re.compile(r"(person has \d+ earlier conversations): .*", re.DOTALL): r"\1",
    re.compile(r"(text of an evaluation set): .*", re.DOTALL): r"\1",
    re.compile(
        r"contradiction: .* prefers the opposite", re.DOTALL
    ): "contradiction: another pair prefers the opposite",
}

#: From this many different endings on, the text after the last colon of a reason is a value, not a sentence.
MIN_VALUES = 6


def group_reasons(reasons: Iterable[str]) -> dict[str, str]:
    """Return the group of each different reason, by reason.

    The group is the whole reason, because the text before a colon is often only the field's name (`messages.content:
    only text parts can be read`). There are two exceptions: ids of other rows are left out (`REASONS_WITH_ID`), and
    reasons that differ only in an id or a value after their last colon are one group, `<text before it>: …`. Different
    endings are ids or values if none of them contains a blank and the text before them does, or if there are at least
    `MIN_VALUES`.
    """
    groups = {reason: _remove_id(reason) for reason in reasons}
    endings: dict[str, set[str]] = {}
    for group in groups.values():
        beginning, _, ending = group.rpartition(": ")
        endings.setdefault(beginning, set()).add(ending)
    for reason, group in groups.items():
        beginning = group.rpartition(": ")[0]
        if beginning and _are_values(beginning, endings[beginning]):
            groups[reason] = f"{beginning}: …"
    return groups


def _remove_id(reason: str) -> str:
    """Return the reason without the id of another row."""
    for pattern, form in REASONS_WITH_ID.items():
        if match := pattern.fullmatch(reason):
            return match.expand(form)
    return reason


def _are_values(beginning: str, endings: set[str]) -> bool:
    if len(endings) < 2:
        return False
    return len(endings) >= MIN_VALUES or (" " in beginning and not any(" " in ending for ending in endings))
