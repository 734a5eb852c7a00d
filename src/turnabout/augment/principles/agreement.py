"""How often an annotator with nothing but some principles prefers the reply that people preferred (step 6 of ICAI)."""

from collections.abc import Sequence
from typing import Any

from turnabout.augment.presented_pairs import Shown
from turnabout.generation import Generator
from turnabout.judging import pairwise
from turnabout.stats.proportion import proportion

#: Whose agreement stands in which columns: `_low` and `_high` are added for the interval.
WITH, WITHOUT = "agreement", "agreement_without"


def agreement(
    author: Generator, pairs: Sequence[Shown], principles: Sequence[str], how: pairwise.Judging
) -> dict[str, Any]:
    """The columns of `schemas.PRINCIPLES` about held-out pairs; empty without any pair or principle.

    Both are the checklist judge, which without a list is the plain one, and see both orders of the replies. One that
    cannot decide, or is led by the order, does not agree.
    """
    if not pairs or not principles:
        return {}
    found: dict[str, Any] = {"n_held_out": len(pairs)}
    for name, told in ((WITH, tuple(principles)), (WITHOUT, ())):
        duels = [pairwise.Duel(pair.prompt, pair.better, pair.worse, told) for pair in pairs]
        verdicts = pairwise.compare(author, duels, how)
        share = proportion(sum(verdict.prefer == "a" for verdict in verdicts), len(pairs))
        found |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    return found
