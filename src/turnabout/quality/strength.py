"""Preference strength: a pair's margin under an ensemble of reward heads.

Wang et al. 2024 (Secrets of RLHF II, arXiv 2401.06080): the mean margin over an ensemble separates wrong labels
(lowest) from ambiguous ones (next) and clear ones. There, each model is a whole network and has seen every pair; here,
each is a Bradley–Terry head on the frozen policy, fitted to one half of the people and applied to the other half.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.config import Section
from turnabout.stats.estimate import Bootstrap
from turnabout.training.reward_model import fit_head

#: Minimum number of training pairs that heads are fitted to: each sees a half.
MIN_PAIRS = 100

Floats = NDArray[np.float64]


class Strength(Section):
    """Settings of preference strength, and what happens to weak training pairs."""

    heads: int = Field(default=5, ge=2)
    """Number of times that the people are shuffled into two halves, with a head for each half."""
    l2: float = Field(default=1.0, gt=0)
    """Strength of the L2 penalty on a head."""
    wrong: float = Field(default=0.2, ge=0, le=1)
    """Share of the training pairs, the weakest, taken to be labelled wrongly if their mean strength is below 0."""
    wrong_are: Literal["kept", "dropped", "flipped"] = "dropped"
    ambiguous: float = Field(default=0.2, ge=0, le=1)
    """Share of the training pairs, the next weakest, taken to be ambiguous."""
    ambiguous_are: Literal["kept", "softened", "weighted"] = "softened"
    """`softened`: a probability that the label is right, for the loss; `weighted`: less weight, dropped if none."""


class StrengthMeasurement(NamedTuple):
    """The pairs with `strength_mean` and `strength_std`, and the report.

    `report` has a `reason` where the strength may not be acted on.
    """

    pairs: pl.DataFrame
    report: dict[str, Any]


def measure_strength(
    pairs: pl.DataFrame, differences: NDArray[np.float32], settings: Strength, *, bootstrap: Bootstrap, seed: int
) -> StrengthMeasurement:
    """Measure the strength of comparable pairs.

    `differences` are the features of chosen minus those of rejected, shape (pairs, hidden). With too few pairs or
    people to fit heads to, the strength stays null and the report says why.

    Strength may be acted on only if the heads agree with more than half of the training pairs that they have not seen:
    the lower end of that share's interval must be above 1/2. Otherwise the report has a `reason`, too.
    """
    is_train = (pairs["split"] == "train").to_numpy()
    people = pairs.select(pl.coalesce("user_key", "conversation_id")).to_series().to_numpy()
    n_train, n_people = int(is_train.sum()), len(set(people[is_train]))
    if n_train < MIN_PAIRS or n_people < 2:
        size = f"{n_train} training pairs of {n_people} people"
        return StrengthMeasurement(pairs, {"reason": f"{size}; {MIN_PAIRS} pairs of at least 2 people are needed"})
    margins = cross_fit_margins(
        differences, pairs["weight"].to_numpy(), people=people, is_train=is_train, settings=settings, seed=seed
    )
    strength = margins.mean(axis=0)
    agreement = bootstrap.mean(strength[is_train] > 0, people[is_train].tolist())
    report: dict[str, Any] = {"agreement_with_unseen_pairs": agreement.to_dict()}
    if agreement.low is None or agreement.low <= 0.5:
        report["reason"] = "the heads agree with pairs they have not seen no more than a coin would"
    return StrengthMeasurement(pairs.with_columns(strength_mean=strength, strength_std=margins.std(axis=0)), report)


def cross_fit_margins(
    differences: NDArray[np.float32],
    weight: Floats,
    *,
    people: NDArray[np.object_],
    is_train: NDArray[np.bool_],
    settings: Strength,
    seed: int,
) -> Floats:
    """Return reward margins by heads that have not seen the pair's own person.

    The margin is the reward of chosen minus rejected; shape (heads, pairs). Each row is one shuffle of the training
    people into two halves; pairs outside training are scored by the heads of both halves, averaged.
    """
    rng = np.random.default_rng(seed)
    names = people.astype(str)
    training_people = np.unique(names[is_train])
    margins = np.zeros((settings.heads, len(differences)))
    for row in margins:
        in_first = np.isin(names, rng.permutation(training_people)[: len(training_people) // 2])
        for half in (is_train & in_first, is_train & ~in_first):
            margin = differences @ fit_head(differences[half], weight[half], settings.l2)
            row += np.where(is_train, np.where(half, 0.0, margin), margin / 2)
    return margins
