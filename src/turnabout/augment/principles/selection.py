"""Which rules become principles, and how far these agree with people.

One rule per cluster is voted on, and no two of the best mean the same (ICAI, steps 2 to 5). The agreement with held-out
people is step 6.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from turnabout.augment.presented_pairs import PresentedPair
from turnabout.augment.principles.proposals import Proposal
from turnabout.augment.principles.votes import VoteOptions, VoteOutcome, count_votes
from turnabout.generation import Generator
from turnabout.judging.base import Comparison, JudgeOptions
from turnabout.judging.pairwise import compare
from turnabout.stats.proportion import estimate_proportion
from turnabout.text.sentence_vectors import encode_sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The shortlist that is compared for meaning has this many times the principles that are kept.
SHORTLIST = 1.5

#: Columns of the agreement with and without principles; `_low` and `_high` are added for the interval.
WITH, WITHOUT = "agreement", "agreement_without"


class AcceptanceCriteria(NamedTuple):
    """Limits on the rules that become principles."""

    clusters: int
    """Most rules that are voted on."""
    keep: int
    """Most rules that are kept."""
    min_valid: float
    """Least share of the pairs with a valid vote."""
    min_for: float
    """Least share of the pairs with a vote for the rule."""

    def find_shortfall(self, tally: Counter[VoteOutcome], n_pairs: int) -> str | None:
        """Return why a rule with these votes is not kept, or None."""
        if n_pairs == 0:
            return "no pair to vote on"
        if n_pairs - tally["invalid"] < self.min_valid * n_pairs:
            return "too few votes that can be used"
        if tally["for"] <= tally["against"]:
            return "not for more than against"
        return "seldom for" if tally["for"] < self.min_for * n_pairs else None


class RankedRule(NamedTuple):
    """One proposal with its votes, if it was voted on.

    `reason` says why it is not a principle; None for those that are.
    """

    proposal: Proposal
    tally: Counter[VoteOutcome] | None
    reason: str | None


class Clusters(NamedTuple):
    """The cluster of each text, and its distance from the cluster's centre."""

    label: "NDArray[np.int32]"
    distance: "NDArray[np.floating]"


def select_rules(
    generator: Generator,
    proposals: Sequence[Proposal],
    pairs: Sequence[PresentedPair],
    *,
    criteria: AcceptanceCriteria,
    options: VoteOptions,
) -> list[RankedRule]:
    """Return every proposal in order, with its votes and why it is no principle."""
    texts = [proposal.text or "" for proposal in proposals]
    reasons = [proposal.reason for proposal in proposals]

    valid = [i for i, reason in enumerate(reasons) if reason is None]
    central = select_nearest_to_centres([texts[i] for i in valid], criteria.clusters, options.seed)
    candidates = [valid[position] for position in central]
    for i in set(valid) - set(candidates):
        reasons[i] = "another one of its cluster was taken"

    counted = count_votes(generator, [texts[i] for i in candidates], pairs, options)
    tallies = dict(zip(candidates, counted, strict=True))
    for i, tally in tallies.items():
        reasons[i] = criteria.find_shortfall(tally, len(pairs))

    accepted = [i for i in candidates if reasons[i] is None]
    ranked = sorted(accepted, key=lambda i: (tallies[i]["against"] - tallies[i]["for"], i))
    shortlist = ranked[: math.ceil(SHORTLIST * criteria.keep)]
    distinct = select_first_of_clusters([texts[i] for i in shortlist], criteria.keep, options.seed)
    kept = [shortlist[position] for position in distinct]
    for i in ranked[len(shortlist) :]:
        reasons[i] = "not among the best"
    for i in set(shortlist) - set(kept):
        reasons[i] = "resembles a better one"

    return [RankedRule(proposal, tallies.get(i), reasons[i]) for i, proposal in enumerate(proposals)]


def select_nearest_to_centres(texts: Sequence[str], max_clusters: int, seed: int) -> list[int]:
    """Return the index of the text nearest to each centre, sorted.

    The clusters are those of k-means over sentence vectors.
    """
    if len(texts) <= max_clusters:
        return list(range(len(texts)))
    clusters = _fit_clusters(texts, max_clusters, seed)
    return _select_first_per_label(clusters.label, np.argsort(clusters.distance, kind="stable"))


def select_first_of_clusters(texts: Sequence[str], max_clusters: int, seed: int) -> list[int]:
    """Return the indices of one text per cluster, sorted: the first one."""
    if len(texts) <= max_clusters:
        return list(range(len(texts)))
    return _select_first_per_label(_fit_clusters(texts, max_clusters, seed).label, np.arange(len(texts)))


def measure_agreement(
    generator: Generator, pairs: Sequence[PresentedPair], principles: Sequence[str], options: JudgeOptions
) -> dict[str, Any]:
    """Return how often a judge prefers the reply that people preferred.

    The result holds the columns of `schemas.PRINCIPLES` about held-out pairs, with the principles and without; it is
    empty without any pair or principle. In both cases the checklist judge decides, which without a list is the plain
    one, and it sees both orders of the replies. A judge that cannot decide, or follows the order, does not agree.
    """
    if not pairs or not principles:
        return {}
    columns: dict[str, Any] = {"n_held_out": len(pairs)}
    for name, checklist in ((WITH, tuple(principles)), (WITHOUT, ())):
        comparisons = []
        for pair in pairs:
            comparisons.append(Comparison(prompt=pair.prompt, a=pair.better, b=pair.worse, checklist=checklist))
        verdicts = compare(generator, comparisons, options)
        share = estimate_proportion(sum(verdict.prefer == "a" for verdict in verdicts), len(pairs))
        columns |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    return columns


def _fit_clusters(texts: Sequence[str], n: int, seed: int) -> Clusters:
    from sklearn.cluster import KMeans

    vectors = encode_sentences(texts)
    fitted = KMeans(n, n_init=10, random_state=seed).fit(vectors)
    centres = fitted.cluster_centers_[fitted.labels_]
    return Clusters(fitted.labels_, np.linalg.norm(vectors - centres, axis=1))


def _select_first_per_label(labels: "NDArray[np.int32]", order: "NDArray[np.intp]") -> list[int]:
    """Return, for each label, the index that comes first in `order`; sorted."""
    _, first = np.unique(labels[order], return_index=True)
    return sorted(order[first].tolist())
