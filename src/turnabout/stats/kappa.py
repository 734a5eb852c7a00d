"""Cohen's (1960) kappa of two yes-or-no judgements: their agreement beyond what chance would give."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from turnabout.stats.estimate import Array, Estimate, statistic


def kappa(
    ones: ArrayLike, others: ArrayLike, weight: ArrayLike, users: Sequence[str], resamples: int, seed: int
) -> Estimate:
    """Kappa of two columns of booleans, each case counting `weight` times, with its interval over people."""
    one, other, counts = (np.asarray(column, float) for column in (ones, others, weight))
    columns = [counts, counts * one, counts * other, counts * (one == other)]
    return statistic(columns, _of_sums, users, resamples, seed)


def _of_sums(sums: Array) -> Array:
    one, other, agreed = (sums[:, i] / sums[:, 0] for i in (1, 2, 3))
    chance = one * other + (1 - one) * (1 - other)
    return (agreed - chance) / (1 - chance)
