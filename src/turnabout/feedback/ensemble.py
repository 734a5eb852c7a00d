"""All signals on a reply as one decision, with the probability that it is right.

Each signal adds log-odds, as evidence does in naive Bayes, to one scale that runs from dissatisfied to satisfied. Where
z is their sum and the base rates are those of a reply nobody said anything about, P(dsat) = σ(logit(base) - z) and
P(sat) = σ(logit(base) + z): an ordinal logistic model with silence in the middle (McCullagh 1980).
"""

import math
from importlib.resources import files
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.config import Section
from turnabout.feedback.signals import ENSEMBLE, WHERE, signals

REPLY = ["conversation_id", "reply_index"]

#: How far labels may move a weight: the standard deviation, in log-odds, of a Gaussian round the weight that ships.
PRIOR_SD = 1.0

BaseRate = Annotated[float, Field(gt=0, lt=0.5)]


class BaseRates(Section):
    """Share of replies that please, and that displease, among all."""

    sat: BaseRate
    dsat: BaseRate


class Weights(Section):
    """`ensemble.json`: log-odds per unit of confidence, by `miner/category` or else by `miner`, else `other`."""

    shipped: ClassVar[str] = "ensemble.json"
    version: str
    provenance: str
    base_rates: BaseRates
    weights: dict[str, float]
    other: float


WEIGHTS = Weights.model_validate_json((files(__package__) / Weights.shipped).read_text(encoding="utf-8"))


def decide(found: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """One row of `schemas.FEEDBACK` per reply whose signals do not cancel, by the miner `ensemble`.

    Category, rule, span and evidence are those of the strongest signal on the side that won; the confidence is the
    probability of its label, the score that with its sign.
    """
    voices = strongest(found, weights)
    z = pl.col("evidence").sum().over(REPLY)
    side = z.sign()
    base = pl.when(side > 0).then(logit(weights.base_rates.sat)).otherwise(logit(weights.base_rates.dsat))
    decided = (
        voices.with_columns(confidence=1 / (1 + (-(base + z.abs())).exp()), side=side)
        .filter(pl.col("side") != 0, pl.col("evidence").sign() == pl.col("side"))
        .sort(*REPLY, -pl.col("evidence").abs(), "miner", "category")
        .unique(REPLY, keep="first", maintain_order=True)
        .with_columns(score=pl.col("side") * pl.col("confidence"))
    )
    return signals(decided, ENSEMBLE, weights.version)


def strongest(found: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """The strongest signal of each miner on each reply, with its signed log-odds as `evidence` and their `key`.

    What one miner says twice is one observation; different miners add up.
    """
    pair = pl.concat_str("miner", "category", separator="/")
    known = list(weights.weights)
    key = pl.when(pair.is_in(known)).then(pair).when(pl.col("miner").is_in(known)).then("miner").otherwise(pair)
    weight = pl.col("key").replace_strict(weights.weights, default=weights.other, return_dtype=pl.Float64)
    strength = pl.col("confidence") * pl.col("score").sign()
    return (
        found.with_columns(key=key)
        .with_columns(strength=strength, evidence=strength * weight)
        .sort(*REPLY, "miner", -pl.col("evidence").abs(), "category", WHERE[-1])
        .unique([*REPLY, "miner"], keep="first", maintain_order=True)
    )


def refit(found: pl.DataFrame, judged: pl.DataFrame, weights: Weights) -> Weights:
    """The weights and base rates likeliest after people's labels, with those that ship as prior (a MAP estimate).

    `judged` has `label` (sat, dsat, none) and `weight` per exchange: how many exchanges of the log it stands for. They
    are scaled to a mean of 1, so that labels count as many as they are.
    """
    from scipy.optimize import minimize

    if judged.is_empty():
        return weights
    voices = strongest(found, weights)
    keys = sorted(voices.join(judged, on=REPLY, how="semi")["key"].unique())
    strengths = _strengths(judged, voices, keys)
    labels = judged["label"].replace_strict({"dsat": -1, "none": 0, "sat": 1}, return_dtype=pl.Int8).to_numpy()
    counts = judged["weight"].to_numpy() / judged["weight"].mean()
    rates = weights.base_rates
    prior = np.array([logit(rates.sat), logit(rates.dsat), *(weights.weights.get(k, weights.other) for k in keys)])

    def loss(values: NDArray[np.float64]) -> float:
        sat, dsat = values[0] + strengths @ values[2:], values[1] - strengths @ values[2:]
        p_sat, p_dsat = 1 / (1 + np.exp(-sat)), 1 / (1 + np.exp(-dsat))
        chances = np.select([labels > 0, labels < 0], [p_sat, p_dsat], np.clip(1 - p_sat - p_dsat, 0, 1))
        return float(-counts @ np.log(chances + 1e-12) + ((values - prior) ** 2).sum() / (2 * PRIOR_SD**2))

    bounds = [(-12.0, -1e-3)] * 2 + [(0.0, 12.0)] * len(keys)
    best = minimize(loss, prior, method="L-BFGS-B", bounds=bounds).x
    return weights.model_copy(
        update={
            "version": f"{weights.version}+labels",
            "provenance": f"{weights.provenance} Refitted on {judged.height} labelled exchanges.",
            "base_rates": BaseRates(sat=_share(best[0]), dsat=_share(best[1])),
            "weights": weights.weights | dict(zip(keys, map(float, best[2:]), strict=True)),
        }
    )


def _strengths(judged: pl.DataFrame, voices: pl.DataFrame, keys: list[str]) -> NDArray[np.float64]:
    """Signed confidence of every key on every judged exchange, shape (judged, keys); 0 where it says nothing."""
    placed = judged.select(REPLY).with_row_index("row").join(voices, on=REPLY)
    strengths = np.zeros((judged.height, len(keys)))
    column = placed["key"].cast(pl.Enum(keys)).to_physical()
    strengths[placed["row"].to_numpy(), column.to_numpy()] = placed["strength"].to_numpy()
    return strengths


def logit(share: float) -> float:
    """The log-odds of a share."""
    return math.log(share / (1 - share))


def _share(log_odds: float) -> float:
    return float(1 / (1 + math.exp(-log_odds)))
