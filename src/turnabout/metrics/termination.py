"""Knowing when to leave: precision, recall and F1 of a user model at places where people left or went on.

Naous et al. 2025, §4 ("dialogue termination"); the positive class is leaving.
"""

import numpy as np
import polars as pl

from turnabout.stats.estimate import Array, Estimate, nothing, statistic


def best_threshold(decisions: pl.DataFrame) -> float | None:
    """The P(leave) from which on leaving is predicted, with the highest F1 on these (validation) decisions.

    The highest such threshold where several do equally well; None where nobody left.
    """
    from sklearn.metrics import precision_recall_curve

    if not decisions["left"].any():
        return None
    precision, recall, thresholds = precision_recall_curve(decisions["left"], decisions["p_end"])
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    best = np.flatnonzero(f1[:-1] == f1[:-1].max())[-1]
    return float(thresholds[best])


def termination(decisions: pl.DataFrame, threshold: float | None, resamples: int, seed: int) -> dict[str, Estimate]:
    """Precision, recall and F1 on `user_turns.DECISIONS`, with leaving predicted from `threshold` on.

    `f1_drawn` needs no threshold: the F1 of the counts to be expected where the model leaves as it would by itself, one
    draw a place. That is how the paper counts, and what a simulation sees. `f1_always` is what leaving everywhere gets:
    a model whose F1 is no higher knows nothing.
    """
    names, free = ("precision", "recall", "f1"), ("f1_drawn", "f1_always")
    if not decisions["left"].any():
        return dict.fromkeys((*names, *free), nothing("nobody left in the test conversations"))
    left, users = decisions["left"], decisions["user_key"].to_list()
    says = (decisions["p_end"], pl.ones(len(left), eager=True))
    of_all = {
        name: statistic(_counts(p, left), _f1, users, resamples, seed) for name, p in zip(free, says, strict=True)
    }
    if threshold is None:
        missing = nothing("nobody left in the validation conversations: no threshold to choose")
        return {**dict.fromkeys(names, missing), **of_all}
    counts = _counts((decisions["p_end"] >= threshold).cast(pl.Float64), left)
    found = {name: statistic(counts, of, users, resamples, seed) for name, of in zip(names, _STATISTICS, strict=True)}
    return {**found, **of_all}


def _counts(says: pl.Series, left: pl.Series) -> list[pl.Series]:
    """True positives, false positives and false negatives, by how surely (0 to 1) leaving is said of each place."""
    return [says * left, says * ~left, (1 - says) * left]


def _precision(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 1])


def _recall(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 2])


def _f1(sums: Array) -> Array:
    return 2 * sums[:, 0] / (2 * sums[:, 0] + sums[:, 1] + sums[:, 2])


#: Of the sums of true positives, false positives and false negatives.
_STATISTICS = (_precision, _recall, _f1)
