"""Judges by name: what each is told of a duel before its verdict is asked for."""

from turnabout.judging import checklist, plain, self_reference
from turnabout.judging.base import Duel, Judging, Telling, Verdict

JUDGES: dict[str, Telling] = {
    "plain": plain.tell,
    "checklist": checklist.tell,
    "self_reference": self_reference.tell,
}

__all__ = ["JUDGES", "Duel", "Judging", "Verdict"]
