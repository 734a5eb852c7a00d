"""Which proposed rules become principles: one per cluster, by its votes, no two of the best alike (ICAI, steps 3–5)."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from turnabout.augment.presented_pairs import Shown
from turnabout.augment.principles.clusters import first_of_clusters, nearest_to_centres
from turnabout.augment.principles.proposals import Proposal
from turnabout.augment.principles.votes import Fate, Polling, tallies
from turnabout.generation import Generator

#: So many times the principles that are kept are compared with each other once more.
SHORTLIST = 1.5


class Bar(NamedTuple):
    """What a rule must reach: votes that can be used, and votes for it, as shares of the pairs."""

    clusters: int
    keep: int
    min_valid: float
    min_for: float

    def fault(self, tally: Counter[Fate], n_pairs: int) -> str | None:
        """Why a rule with these votes is not kept, or None."""
        if n_pairs == 0:
            return "no pair to vote on"
        if n_pairs - tally["invalid"] < self.min_valid * n_pairs:
            return "too few votes that can be used"
        if tally["for"] <= tally["against"]:
            return "not for more than against"
        return "seldom for" if tally["for"] < self.min_for * n_pairs else None


class Sifted(NamedTuple):
    """What came of one proposal: its votes, if it got any, and why it is no principle, if it is none."""

    proposal: Proposal
    tally: Counter[Fate] | None
    reason: str | None


def sifted(
    author: Generator, proposals: Sequence[Proposal], pairs: Sequence[Shown], bar: Bar, how: Polling
) -> list[Sifted]:
    """Every proposal, in order."""
    reasons = {i: each.reason for i, each in enumerate(proposals)}
    sound = [i for i, reason in reasons.items() if reason is None]
    chosen = [sound[j] for j in nearest_to_centres(_texts(proposals, sound), bar.clusters, how.seed)]
    reasons |= dict.fromkeys({*sound} - {*chosen}, "another one of its cluster was taken")
    votes = dict(zip(chosen, tallies(author, _texts(proposals, chosen), pairs, how), strict=True))
    reasons |= {i: bar.fault(tally, len(pairs)) for i, tally in votes.items()}
    ranked = sorted((i for i in chosen if reasons[i] is None), key=lambda i: (votes[i]["against"] - votes[i]["for"], i))
    listed = ranked[: math.ceil(SHORTLIST * bar.keep)]
    best = [listed[j] for j in first_of_clusters(_texts(proposals, listed), bar.keep, how.seed)]
    reasons |= dict.fromkeys(ranked[len(listed) :], "not among the best")
    reasons |= dict.fromkeys({*listed} - {*best}, "resembles a better one")
    return [Sifted(each, votes.get(i), reasons[i]) for i, each in enumerate(proposals)]


def _texts(proposals: Sequence[Proposal], places: Sequence[int]) -> list[str]:
    return [proposals[i].text or "" for i in places]
