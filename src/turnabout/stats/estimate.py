"""Estimates with intervals from a bootstrap over users."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Bounds of the reported intervals, in percent of the resamples.
INTERVAL = (2.5, 97.5)


class Estimate(NamedTuple):
    """A value with its 95 % interval over users and its number of cases.

    Value and bounds are None where they cannot be computed; `reason` then says why.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None

    def scale(self, factor: float) -> "Estimate":
        """Return the estimate in another unit, e.g. percent with factor 100."""
        value, low, high = (None if bound is None else factor * bound for bound in self[:3])
        return self._replace(value=value, low=low, high=high)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of a metrics file: value, low, high, n, and any reason."""
        fields = self._asdict()
        if not self.reason:
            del fields["reason"]
        return fields


def missing_estimate(reason: str) -> Estimate:
    """Return an estimate without value, interval and cases, with the reason."""
    return Estimate(value=None, low=None, high=None, n=0, reason=reason)


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrap clustered by user, which gives every statistic its interval.

    All cases of a user are drawn together, because they resemble each other (Davison & Hinkley 1997, §3.8). The same
    settings draw the same users, so that two statistics of the same cases see the same resamples.
    """

    resamples: int
    """Number of resamples."""
    seed: int

    def mean(self, values: ArrayLike, users: Sequence[str]) -> Estimate:
        """Estimate the mean over cases; every case has the same weight.

        For paired differences, it estimates the mean difference.
        """
        return self.ratio(values, np.ones(len(users)), users)

    def ratio(self, numerators: ArrayLike, denominators: ArrayLike, users: Sequence[str]) -> Estimate:
        """Estimate Σ numerators / Σ denominators, with one entry per case."""
        return self.statistic([numerators, denominators], lambda sums: sums[:, 0] / sums[:, 1], users)

    def difference(
        self, first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike], users: Sequence[str]
    ) -> Estimate:
        """Estimate the first ratio of sums minus the second one.

        Both are (numerators, denominators) of the same cases and see the same resamples of users, so that effects of
        a user on both ratios cancel.
        """
        return self.statistic([*first, *second], lambda sums: sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3], users)

    def statistic(
        self, columns: Sequence[ArrayLike], of_sums: Callable[[Array], Array], users: Sequence[str]
    ) -> Estimate:
        """Estimate any statistic of column sums, with its percentile interval.

        `columns` are K numbers per case; `of_sums` maps their sums, shape (resamples, K), to the statistic.
        """
        if not len(users):
            return missing_estimate("nothing to measure")
        cases = np.stack([np.asarray(column, float) for column in columns], axis=1)
        unique_users, user_of_case = np.unique(np.asarray(users, dtype=str), return_inverse=True)
        sums = np.zeros((len(unique_users), cases.shape[1]))
        np.add.at(sums, user_of_case, cases)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(of_sums(sums.sum(axis=0, keepdims=True))[0])
            resampled = of_sums(self.draw_multiplicities(len(unique_users)) @ sums)
        if not math.isfinite(value):
            return missing_estimate("no case in the denominator")._replace(n=len(users))
        return percentile_interval(value, resampled, n_users=len(unique_users), n=len(users))

    def draw_multiplicities(self, n_users: int) -> Array:
        """Return how often each resample contains each user.

        The shape is (resamples, users); every row sums to `n_users`.
        """
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=self.resamples).astype(float)


def percentile_interval(value: float, resampled: Array, *, n_users: int, n: int) -> Estimate:
    """Return the value with the percentile interval of its resamples.

    `n` is the number of cases behind the value. A single user cannot be resampled and has no interval.
    """
    finite = resampled[np.isfinite(resampled)]
    if n_users < 2 or not len(finite):
        reason = f"{n_users} user: an interval needs at least 2"
        return Estimate(value=value, low=None, high=None, n=n, reason=reason)
    low, high = np.percentile(finite, INTERVAL)
    return Estimate(value=value, low=float(low), high=float(high), n=n)
