"""The proportion of independent cases with Wilson's (1927) interval."""

from turnabout.stats.estimate import Estimate, missing_estimate


def estimate_proportion(k: int, n: int) -> Estimate:
    """Estimate k / n with its 95 % interval; missing where n is 0."""
    from scipy.stats import binomtest

    if n == 0:
        return missing_estimate("no case")
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return Estimate(value=k / n, low=float(interval.low), high=float(interval.high), n=n)
