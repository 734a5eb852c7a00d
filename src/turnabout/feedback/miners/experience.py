"""Miner `experience`: a linear model that judges whole conversations."""

from functools import cache
from importlib.resources import as_file, files
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.miners.experience_features import collect_conversations, compute_experience_features
from turnabout.feedback.miners.linear import LinearModel, load_models
from turnabout.feedback.signals import build_signals


class Experience(Miner):
    """Predictor of a conversation's rating from its text.

    It predicts whether the person would rate the conversation below the median rating. One signal per conversation,
    category `experience`, on its last reply that the user answered. No single reply is to blame, so training on single
    replies should leave this category out. The span is the user's last answer. Confidence is the calibrated probability
    of the label; the score is 1 minus twice the probability of a bad experience.
    """

    miner: Literal["experience"] = "experience"
    version: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    threshold: Annotated[float, Field(ge=0.5, lt=1)] = 0.75
    """Least probability of a signal, sat or dsat."""
    min_replies: Annotated[int, Field(gt=1)] = 5
    """Fewest answered replies of a conversation that is judged; the model was trained on chats of ten rounds and
    more."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return at most one signal per conversation."""
        answered = exchanges.drop_nulls("follow_up")
        long = answered.filter(pl.len().over("conversation_id") >= self.min_replies)
        predicted = predict_bad_experience(long)
        last = long.sort("reply_index").group_by("conversation_id").last().join(predicted, on="conversation_id")
        findings = last.with_columns(
            confidence=pl.max_horizontal("probability", 1 - pl.col("probability")),
            score=1 - 2 * pl.col("probability"),
            category=pl.lit("experience"),
            span="follow_up",
        ).filter(pl.col("confidence") >= self.threshold)
        return build_signals(findings, self.miner, self.version)


def predict_bad_experience(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Return each conversation's `probability` of a rating below the median.

    The rows have `conversation_id` and are sorted by it.
    """
    ids, conversations = collect_conversations(exchanges)
    probability = _load_weights().predict_probability(compute_experience_features(conversations)) if ids else None
    return pl.DataFrame(
        {"conversation_id": ids, "probability": pl.Series(probability, dtype=pl.Float64)},
        schema_overrides={"conversation_id": pl.String},
    )


@cache
def _load_weights() -> LinearModel:
    with as_file(files(__package__) / "weights" / "experience.safetensors") as file:
        models, _ = load_models(file)
    return models["experience"]
