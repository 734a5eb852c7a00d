"""Cohen's (1960) kappa of two binary judgements: agreement beyond chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from turnabout.stats.estimate import Array, Bootstrap, Estimate


def estimate_kappa(
    first: ArrayLike, second: ArrayLike, *, weight: ArrayLike, users: Sequence[str], bootstrap: Bootstrap
) -> Estimate:
    """Estimate kappa of two boolean columns; each case counts `weight` times."""
    in_first, in_second, counts = (np.asarray(column, float) for column in (first, second, weight))
    columns = [counts, counts * in_first, counts * in_second, counts * (in_first == in_second)]
    return bootstrap.statistic(columns, _kappa_of_sums, users)


def _kappa_of_sums(sums: Array) -> Array:
    first, second, agreed = (sums[:, i] / sums[:, 0] for i in (1, 2, 3))
    chance = first * second + (1 - first) * (1 - second)
    return (agreed - chance) / (1 - chance)
