"""A figure with its uncertainty: the bootstrap over users that every reported number goes through."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Bounds of the reported intervals, in percent of the resamples.
INTERVAL = (2.5, 97.5)


class Estimate(NamedTuple):
    """A value with its 95 % interval over resampled users, and the cases behind it; None where there is nothing."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None
    """Why value or interval are missing."""

    def times(self, factor: float) -> "Estimate":
        """The same in another unit: 100 makes percent of a share."""
        value, low, high = (None if bound is None else factor * bound for bound in self[:3])
        return Estimate(value, low, high, self.n, self.reason)

    def to_dict(self) -> dict[str, Any]:
        """As metrics files have it: value, low, high, n, and the reason where something is missing."""
        told = self._asdict()
        return told if self.reason else {key: told[key] for key in ("value", "low", "high", "n")}


def nothing(reason: str) -> Estimate:
    """An estimate of nothing, and why."""
    return Estimate(None, None, None, 0, reason)


def ratio(numerators: ArrayLike, denominators: ArrayLike, users: Sequence[str], resamples: int, seed: int) -> Estimate:
    """Σ numerators / Σ denominators, one row per case."""
    return statistic([numerators, denominators], lambda sums: sums[:, 0] / sums[:, 1], users, resamples, seed)


def mean(values: ArrayLike, users: Sequence[str], resamples: int, seed: int) -> Estimate:
    """The mean over cases; every case counts the same, whoever's it is. Of paired differences: their mean."""
    return ratio(values, np.ones(len(users)), users, resamples, seed)


def difference(
    ones: tuple[ArrayLike, ArrayLike],
    others: tuple[ArrayLike, ArrayLike],
    users: Sequence[str],
    resamples: int,
    seed: int,
) -> Estimate:
    """The first ratio of sums minus the second, both (numerators, denominators) of the same cases.

    Both see the same resamples of users, so what makes a person easy or hard for both cancels.
    """
    return statistic(
        [*ones, *others], lambda sums: sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3], users, resamples, seed
    )


def statistic(
    columns: Sequence[ArrayLike], of_sums: Callable[[Array], Array], users: Sequence[str], resamples: int, seed: int
) -> Estimate:
    """Any statistic of column sums, with the percentile interval of a bootstrap clustered by user.

    `columns` are K numbers per case; `of_sums` maps their sums, shape (resamples, K), to the statistic. All cases of a
    person are drawn together, for they resemble each other (Davison & Hinkley 1997, §3.8).
    """
    if not len(users):
        return nothing("nothing to measure")
    cases = np.stack([np.asarray(column, float) for column in columns], axis=1)
    people, person = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    per_user = np.zeros((len(people), cases.shape[1]))
    np.add.at(per_user, person, cases)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(of_sums(per_user.sum(axis=0, keepdims=True))[0])
        values = of_sums(multiplicities(len(people), resamples, seed) @ per_user)
    if not math.isfinite(value):
        return Estimate(None, None, None, len(users), "no case in the denominator")
    return interval(value, values, len(people), len(users))


def multiplicities(n_users: int, resamples: int, seed: int) -> Array:
    """How often each resample holds each user, shape (resamples, users); every row sums to the number of users."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=resamples).astype(float)


def interval(value: float, resampled: Array, n_users: int, n: int) -> Estimate:
    """The value with the percentile interval of its resamples; none for a single user, who cannot be resampled."""
    finite = resampled[np.isfinite(resampled)]
    if n_users < 2 or not len(finite):
        return Estimate(value, None, None, n, f"{n_users} user: an interval needs at least 2")
    low, high = np.percentile(finite, INTERVAL)
    return Estimate(value, float(low), float(high), n)
