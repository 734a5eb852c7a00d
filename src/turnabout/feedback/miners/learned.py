"""What training taught about follow-ups: sentence vectors, hashed words and a calibrated linear model."""

import re
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.miners.linear import Linear, load
from turnabout.feedback.miners.reaction_features import REACH, WORDS, all_features, surface_features, words_of
from turnabout.feedback.signals import WEAK, signals

SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?\n]+|$)")

OF_CATEGORY = "category."

#: What a weak category counts for, as in the rules.
WEAK_SCORE = 0.3


class Weights(NamedTuple):
    """A file of `fitting.fit_reactions`, opened."""

    reaction: Linear
    gate: Linear
    gate_from: float
    """Least log-odds of the gate at which sentence vectors are computed."""
    categories: dict[str, Linear]


class Learned(Miner):
    """UR1 to UR4 of Don-Yehiya et al. (2024) by logistic regression on what `reaction_features` sees.

    Confidence is the calibrated probability that the follow-up criticises the reply, the score minus that, a weak
    category `WEAK_SCORE` of it. The span is the sentence whose words speak most for it. A gate without sentence vectors
    looks first; what it finds hopeless costs no more. It finds no satisfaction: no licensed corpus labels it per reply.
    """

    miner: Literal["learned"] = "learned"
    version: ClassVar[str] = "1"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Least probability of a signal."""
    weights: str | None = None
    """A file of weights that `stages.fit_miner` wrote; null takes those that come with the package."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """At most one dsat signal per follow-up."""
        weights = open_weights(self.weights)
        heard = self._through_gate(exchanges.drop_nulls("follow_up"), weights)
        probability, categories = judge(heard, weights)
        found = heard.with_columns(confidence=probability, category=categories).filter(
            pl.col("confidence") >= self.threshold
        )
        share = pl.when(pl.col("category").is_in(WEAK)).then(WEAK_SCORE).otherwise(1.0)
        spans = [telling_sentence(text, weights.reaction) for text in found["follow_up"]]
        judged = found.with_columns(span=pl.Series(spans, dtype=pl.String), score=-share * pl.col("confidence"))
        return signals(judged, self.miner, self.version)

    def _through_gate(self, heard: pl.DataFrame, weights: Weights) -> pl.DataFrame:
        if heard.is_empty():
            return heard
        log_odds = weights.gate.logits(surface_features(heard))
        return heard.filter(pl.Series(log_odds >= weights.gate_from))


def judge(heard: pl.DataFrame, weights: Weights) -> tuple[pl.Series, pl.Series]:
    """For each exchange with a follow-up: the probability that it criticises the reply, and as which category."""
    if heard.is_empty():
        return pl.Series(dtype=pl.Float64), pl.Series(dtype=pl.String)
    features = all_features(heard)
    names = list(weights.categories)
    best = np.argmax([weights.categories[name].logits(features) for name in names], axis=0)
    return pl.Series(weights.reaction.probability(features)), pl.Series([names[i] for i in best])


def telling_sentence(text: str, reaction: Linear) -> str:
    """The sentence of a text whose words, by the model's weights, speak most for a reaction; verbatim."""
    sentences = [found.strip() for found in SENTENCE.findall(text[:REACH]) if any(map(str.isalnum, found))]
    if len(sentences) < 2:
        return sentences[0] if sentences else text
    speaks = words_of(sentences) @ reaction.weights[:WORDS]
    return sentences[int(np.argmax(speaks))]


@cache
def open_weights(path: str | None) -> Weights:
    """The weights at `path`, or those of the package."""
    with as_file(files(__package__) / "weights" / "reaction.safetensors") as shipped:
        models, about = load(shipped if path is None else Path(path))
    categories = {
        name.removeprefix(OF_CATEGORY): model for name, model in models.items() if name.startswith(OF_CATEGORY)
    }
    return Weights(models["reaction"], models["gate"], float(about["gate"]), categories)
