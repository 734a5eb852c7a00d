"""Miner `learned`: a calibrated linear model of reactions.

It looks at the words and the meaning of a follow-up.
"""

import re
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.miners.linear import LinearModel, load_models
from turnabout.feedback.miners.reaction_features import (
    MAX_CHARS,
    N_HASHED_FEATURES,
    compute_all_features,
    compute_surface_features,
    vectorize_words,
)
from turnabout.feedback.signals import WEAK, build_signals

SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?\n]+|$)")

#: Begins the names of the models that score one category.
CATEGORY_PREFIX = "category."

#: Factor of the score of a weak category, as in the rules.
WEAK_SCORE = 0.3


class ReactionWeights(NamedTuple):
    """The models in a file of weights (`fitting.fit_reaction_models`)."""

    reaction: LinearModel
    gate: LinearModel
    gate_threshold: float
    """Lowest log-odds of the gate at which sentence vectors are computed."""
    categories: dict[str, LinearModel]


class Learned(Miner):
    """UR1 to UR4 of Don-Yehiya et al. (2024), by logistic regression.

    The features are those of `reaction_features`. Confidence is the calibrated probability that the follow-up
    criticises the reply. The score is minus the confidence, times `WEAK_SCORE` for a weak category. The span is the
    sentence whose words speak most for a reaction. A gate without sentence vectors sees every follow-up first; only
    those that pass are encoded. The miner finds no satisfaction, because no licensed corpus labels satisfaction per
    reply.
    """

    miner: Literal["learned"] = "learned"
    version: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Least probability of a signal."""
    weights: str | None = None
    """A file of weights that `turnabout fit-miner` wrote; null takes those that ship with the package."""

    def hears(self, language: str) -> bool:
        """Return whether the miner finds feedback in a language.

        The shipped weights know English; weights of one's own may know any language.
        """
        return self.weights is not None or super().hears(language)

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return at most one dsat signal per follow-up."""
        weights = load_weights(self.weights)
        candidates = self._apply_gate(exchanges.drop_nulls("follow_up"), weights)
        probability, categories = classify_follow_ups(candidates, weights)
        reactions = candidates.with_columns(confidence=probability, category=categories).filter(
            pl.col("confidence") >= self.threshold
        )
        factor = pl.when(pl.col("category").is_in(WEAK)).then(WEAK_SCORE).otherwise(1.0)
        spans = [select_sentence(text, weights.reaction) for text in reactions["follow_up"]]
        findings = reactions.with_columns(span=pl.Series(spans, dtype=pl.String), score=-factor * pl.col("confidence"))
        return build_signals(findings, self.miner, self.version)

    def _apply_gate(self, exchanges: pl.DataFrame, weights: ReactionWeights) -> pl.DataFrame:
        if exchanges.is_empty():
            return exchanges
        log_odds = weights.gate.compute_logits(compute_surface_features(exchanges))
        return exchanges.filter(pl.Series(log_odds >= weights.gate_threshold))


def classify_follow_ups(exchanges: pl.DataFrame, weights: ReactionWeights) -> tuple[pl.Series, pl.Series]:
    """Return the probability and the category of criticism per exchange.

    The probability is that of a follow-up that criticises the reply.
    """
    if exchanges.is_empty():
        return pl.Series(dtype=pl.Float64), pl.Series(dtype=pl.String)
    features = compute_all_features(exchanges)
    names = list(weights.categories)
    best = np.argmax([weights.categories[name].compute_logits(features) for name in names], axis=0)
    return pl.Series(weights.reaction.predict_probability(features)), pl.Series([names[i] for i in best])


def select_sentence(text: str, reaction: LinearModel) -> str:
    """Return, verbatim, the sentence with the greatest weight for a reaction."""
    sentences = [part.strip() for part in SENTENCE.findall(text[:MAX_CHARS]) if any(map(str.isalnum, part))]
    if len(sentences) < 2:
        return sentences[0] if sentences else text
    weights = vectorize_words(sentences) @ reaction.weights[:N_HASHED_FEATURES]
    return sentences[int(np.argmax(weights))]


@cache
def load_weights(path: str | None) -> ReactionWeights:
    """Load the weights at `path`, or the shipped ones for None.

    Raises `ModelError` where the file is not one of weights.
    """
    with as_file(files(__package__) / "weights" / "reaction.safetensors") as shipped:
        models, metadata = load_models(shipped if path is None else Path(path))
    categories = {
        name.removeprefix(CATEGORY_PREFIX): model for name, model in models.items() if name.startswith(CATEGORY_PREFIX)
    }
    return ReactionWeights(
        reaction=models["reaction"],
        gate=models["gate"],
        gate_threshold=float(metadata["gate"]),
        categories=categories,
    )
