"""The ensemble: one decision per reply from all its signals.

A decision has the probability that it is right. Each signal adds log-odds, as evidence does in naive Bayes, to one
scale that runs from dissatisfied to satisfied. Let z be their sum, and let the base rates be those of a reply without
any signal. Then P(dsat) = σ(logit(base) - z) and P(sat) = σ(logit(base) + z): an ordinal logistic model with "no
feedback" in the middle (McCullagh 1980).
"""

import math
from importlib.resources import files
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.config import Section
from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.signals import ENSEMBLE, EVIDENCE_KEY, build_signals

#: How far labels may move a weight: standard deviation, in log-odds, of the Gaussian prior around the shipped weight.
PRIOR_SD = 1.0

BaseRate = Annotated[float, Field(gt=0, lt=0.5)]


class BaseRates(Section):
    """Shares of all replies that satisfy and that dissatisfy."""

    sat: BaseRate
    dsat: BaseRate


class EnsembleWeights(Section):
    """`ensemble.json`: log-odds per unit of confidence.

    The weight of a signal is that of its `miner/category`, else that of its `miner`, else `other`.
    """

    file_name: ClassVar[str] = "ensemble.json"
    version: str
    provenance: str
    base_rates: BaseRates
    weights: dict[str, float]
    other: float


SHIPPED_WEIGHTS = EnsembleWeights.model_validate_json(
    (files(__package__) / EnsembleWeights.file_name).read_text(encoding="utf-8")
)


def decide_replies(signals: pl.DataFrame, weights: EnsembleWeights) -> pl.DataFrame:
    """Return one decision per reply whose signals do not cancel.

    The rows are `schemas.FEEDBACK`. The miner of these rows is `ensemble`. Category, rule, span and evidence are those
    of the strongest signal on the winning side; the confidence is the probability of the label, and the score is the
    confidence with the label's sign.
    """
    strongest = select_strongest(signals, weights)
    z = pl.col("evidence").sum().over(REPLY_KEY)
    side = z.sign()
    base = pl.when(side > 0).then(logit(weights.base_rates.sat)).otherwise(logit(weights.base_rates.dsat))
    decided = (
        strongest.with_columns(confidence=1 / (1 + (-(base + z.abs())).exp()), side=side)
        .filter(pl.col("side") != 0, pl.col("evidence").sign() == pl.col("side"))
        .sort(*REPLY_KEY, -pl.col("evidence").abs(), "miner", "category")
        .unique(REPLY_KEY, keep="first", maintain_order=True)
        .with_columns(score=pl.col("side") * pl.col("confidence"))
    )
    return build_signals(decided, ENSEMBLE, weights.version)


def select_strongest(signals: pl.DataFrame, weights: EnsembleWeights) -> pl.DataFrame:
    """Return each miner's strongest signal on each reply.

    Adds `key` (the entry of `weights` that applies), `strength` (confidence with the sign of the score) and `evidence`
    (log-odds, signed). Two signals of one miner count as one observation; those of different miners add up.
    """
    pair = pl.concat_str("miner", "category", separator="/")
    known = list(weights.weights)
    key = pl.when(pair.is_in(known)).then(pair).when(pl.col("miner").is_in(known)).then("miner").otherwise(pair)
    weight = pl.col("key").replace_strict(weights.weights, default=weights.other, return_dtype=pl.Float64)
    strength = pl.col("confidence") * pl.col("score").sign()
    return (
        signals.with_columns(key=key)
        .with_columns(strength=strength, evidence=strength * weight)
        .sort(*REPLY_KEY, "miner", -pl.col("evidence").abs(), "category", EVIDENCE_KEY[-1])
        .unique([*REPLY_KEY, "miner"], keep="first", maintain_order=True)
    )


def refit_weights(signals: pl.DataFrame, labels: pl.DataFrame, weights: EnsembleWeights) -> EnsembleWeights:
    """Fit weights and base rates to people's labels.

    It is a MAP estimate: the shipped weights and base rates are the prior. `labels` has `REPLY_KEY`, `label` (sat,
    dsat, none) and `weight`: how many exchanges of the log the labelled one stands for. The weights are scaled to a
    mean of 1, so that the labels together count as many as they are.
    """
    from scipy.optimize import minimize

    if labels.is_empty():
        return weights
    strongest = select_strongest(signals, weights)
    keys = sorted(strongest.join(labels, on=REPLY_KEY, how="semi")["key"].unique())
    strengths = _build_strengths(labels, strongest, keys)
    ordinal = labels["label"].replace_strict({"dsat": -1, "none": 0, "sat": 1}, return_dtype=pl.Int8).to_numpy()
    counts = labels["weight"].to_numpy() / labels["weight"].mean()
    rates = weights.base_rates
    prior = np.array([logit(rates.sat), logit(rates.dsat), *(weights.weights.get(k, weights.other) for k in keys)])

    def loss(values: NDArray[np.float64]) -> float:
        sat, dsat = values[0] + strengths @ values[2:], values[1] - strengths @ values[2:]
        p_sat, p_dsat = 1 / (1 + np.exp(-sat)), 1 / (1 + np.exp(-dsat))
        likelihoods = np.select([ordinal > 0, ordinal < 0], [p_sat, p_dsat], np.clip(1 - p_sat - p_dsat, 0, 1))
        return float(-counts @ np.log(likelihoods + 1e-12) + ((values - prior) ** 2).sum() / (2 * PRIOR_SD**2))

    bounds = [(-12.0, -1e-3)] * 2 + [(0.0, 12.0)] * len(keys)
    best = minimize(loss, prior, method="L-BFGS-B", bounds=bounds).x
    return weights.model_copy(
        update={
            "version": f"{weights.version}+labels",
            "provenance": f"{weights.provenance} Refitted on {labels.height} labelled exchanges.",
            "base_rates": BaseRates(sat=_sigmoid(best[0]), dsat=_sigmoid(best[1])),
            "weights": weights.weights | dict(zip(keys, map(float, best[2:]), strict=True)),
        }
    )


def _build_strengths(labels: pl.DataFrame, strongest: pl.DataFrame, keys: list[str]) -> NDArray[np.float64]:
    """Return the signed confidence of every key, shape (labels, keys).

    The value is 0 where the key has no signal.
    """
    rows = labels.select(REPLY_KEY).with_row_index("row").join(strongest, on=REPLY_KEY)
    strengths = np.zeros((labels.height, len(keys)))
    column = rows["key"].cast(pl.Enum(keys)).to_physical()
    strengths[rows["row"].to_numpy(), column.to_numpy()] = rows["strength"].to_numpy()
    return strengths


def logit(share: float) -> float:
    """Return the log-odds of a share."""
    return math.log(share / (1 - share))


def _sigmoid(log_odds: float) -> float:
    return float(1 / (1 + math.exp(-log_odds)))
