"""Preference strength: what several small reward models that never saw a pair make of it, and what follows from it.

Wang et al. 2024 (Secrets of RLHF II, arXiv 2401.06080): the mean margin over an ensemble tells wrong labels (lowest)
from ambiguous ones (next) and clear ones. There, each model is a whole network and has seen every pair; here, each is a
Bradley–Terry head on the frozen policy, fitted to one half of the people and asked about the other.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.config import Section
from turnabout.stats.estimate import mean
from turnabout.training.reward_model import fit

#: Fewest training pairs that heads are fitted to: each sees a half.
MIN_PAIRS = 100

Floats = NDArray[np.float64]


class Strength(Section):
    """How strong an ensemble of heads finds each pair, and what becomes of training pairs that it finds weak."""

    heads: int = Field(default=5, ge=2)
    """Times that the people are shuffled into two halves, with a head for each."""
    l2: float = Field(default=1.0, gt=0)
    """Strength of the L2 penalty on a head."""
    wrong: float = Field(default=0.2, ge=0, le=1)
    """Share of the training pairs, the weakest, taken to be labelled wrongly if their mean strength is below 0."""
    wrong_are: Literal["kept", "dropped", "flipped"] = "dropped"
    ambiguous: float = Field(default=0.2, ge=0, le=1)
    """Share of the training pairs, the next weakest, taken to be ambiguous."""
    ambiguous_are: Literal["kept", "softened", "weighted"] = "softened"
    """`softened`: a probability that the label is right, for the loss; `weighted`: less weight, out if a toss-up."""


class Measured(NamedTuple):
    """The pairs with `strength_mean` and `strength_std`, and what to report: why nothing may follow from it, if so."""

    pairs: pl.DataFrame
    told: dict[str, Any]


def measured(
    pairs: pl.DataFrame, differences: NDArray[np.float32], how: Strength, resamples: int, seed: int
) -> Measured:
    """What the ensemble says of comparable pairs; null with a reason where there are too few to fit heads to.

    `differences` are the features of chosen minus those of rejected, shape (pairs, hidden).

    What it says is to be acted on only if the heads agree with more of the training pairs they have not seen than a
    coin would: the lower end of that share's interval must be above 1/2. Otherwise `told` has a `reason`, too.
    """
    is_train = (pairs["split"] == "train").to_numpy()
    people = pairs.select(pl.coalesce("user_key", "conversation_id")).to_series().to_numpy()
    n_train, n_people = int(is_train.sum()), len(set(people[is_train]))
    if n_train < MIN_PAIRS or n_people < 2:
        came = f"{n_train} training pairs of {n_people} people"
        return Measured(pairs, {"reason": f"{came}; {MIN_PAIRS} pairs of at least 2 people are needed"})
    margins = cross_fitted(differences, pairs["weight"].to_numpy(), people, is_train, how.heads, how.l2, seed)
    strength = margins.mean(axis=0)
    agreed = mean(strength[is_train] > 0, people[is_train].tolist(), resamples, seed)
    told: dict[str, Any] = {"agreement_with_unseen_pairs": agreed.to_dict()}
    if agreed.low is None or agreed.low <= 0.5:
        told["reason"] = "the heads agree with pairs they have not seen no more than a coin would"
    return Measured(pairs.with_columns(strength_mean=strength, strength_std=margins.std(axis=0)), told)


def cross_fitted(
    differences: NDArray[np.float32],
    weight: Floats,
    people: NDArray[np.object_],
    is_train: NDArray[np.bool_],
    heads: int,
    l2: float,
    seed: int,
) -> Floats:
    """The rewards of chosen minus rejected, shape (heads, pairs), by heads fitted without the pair's own person.

    Each row is one shuffle of the training people into two halves; pairs outside training are scored by the heads of
    both, averaged.
    """
    rng = np.random.default_rng(seed)
    of_training = np.unique(people[is_train].astype(str))
    margins = np.zeros((heads, len(differences)))
    for row in margins:
        in_first = np.isin(people.astype(str), rng.permutation(of_training)[: len(of_training) // 2])
        for half in (is_train & in_first, is_train & ~in_first):
            reward = differences @ fit(differences[half], weight[half], l2)
            row += np.where(is_train, np.where(half, 0.0, reward), reward / 2)
    return margins
