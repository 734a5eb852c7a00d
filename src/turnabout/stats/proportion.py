"""A share of independent cases with Wilson's (1927) interval."""

from turnabout.stats.estimate import Estimate, nothing


def proportion(k: int, n: int) -> Estimate:
    """k of n, with its 95 % interval; nothing where n is 0."""
    from scipy.stats import binomtest

    if n == 0:
        return nothing("no case")
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return Estimate(k / n, float(interval.low), float(interval.high), n)
