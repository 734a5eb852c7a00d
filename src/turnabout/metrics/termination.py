"""Knowing when to leave: precision, recall and F1 of a user model at places where people left or went on.

Naous et al. 2025, §4 ("dialogue termination"); the positive class is leaving.
"""

import numpy as np
import polars as pl

from turnabout.metrics.estimate import Array, Estimate, nothing, statistic


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
    """Precision, recall and F1 on `user_turns.DECISIONS`, with leaving predicted from `threshold` on."""
    names = ("precision", "recall", "f1")
    if threshold is None:
        return dict.fromkeys(names, nothing("nobody left in the validation conversations: no threshold to choose"))
    if not decisions["left"].any():
        return dict.fromkeys(names, nothing("nobody left in the test conversations"))
    said, left = decisions["p_end"] >= threshold, decisions["left"]
    counts = [said & left, said & ~left, ~said & left]
    users = decisions["user_key"].to_list()
    return {name: statistic(counts, of, users, resamples, seed) for name, of in zip(names, _STATISTICS, strict=True)}


def _precision(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 1])


def _recall(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 2])


def _f1(sums: Array) -> Array:
    return 2 * sums[:, 0] / (2 * sums[:, 0] + sums[:, 1] + sums[:, 2])


#: Of the sums of true positives, false positives and false negatives.
_STATISTICS = (_precision, _recall, _f1)
