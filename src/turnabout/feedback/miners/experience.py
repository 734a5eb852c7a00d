"""How a whole conversation went for the person in it: a linear model over what was said and who repeats whom."""

from functools import cache
from importlib.resources import as_file, files
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.base import Miner
from turnabout.feedback.miners.experience_features import conversations_of, experience_features
from turnabout.feedback.miners.linear import Linear, load
from turnabout.feedback.signals import signals


class Experience(Miner):
    """Whether the person would rate the conversation below the middle of what people give, from the text alone.

    One signal per conversation, category `experience`, on its last reply that the user answered: no one reply is to
    blame, so what trains on single replies should leave it out. The span is that last answer. Confidence is the
    calibrated probability of the label, the score 1 minus twice that of a bad experience.
    """

    miner: Literal["experience"] = "experience"
    version: ClassVar[str] = "1"
    threshold: Annotated[float, Field(ge=0.5, lt=1)] = 0.75
    """Least probability of a signal, sat or dsat."""
    min_replies: Annotated[int, Field(gt=1)] = 5
    """Fewest answered replies of a conversation that is judged; the model learnt from chats of ten rounds and more."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """At most one signal per conversation."""
        answered = exchanges.drop_nulls("follow_up")
        long = answered.filter(pl.len().over("conversation_id") >= self.min_replies)
        bad = bad_experience(long)
        last = long.sort("reply_index").group_by("conversation_id").last().join(bad, on="conversation_id")
        found = last.with_columns(
            confidence=pl.max_horizontal("probability", 1 - pl.col("probability")),
            score=1 - 2 * pl.col("probability"),
            category=pl.lit("experience"),
            span="follow_up",
        ).filter(pl.col("confidence") >= self.threshold)
        return signals(found, self.miner, self.version)


def bad_experience(exchanges: pl.DataFrame) -> pl.DataFrame:
    """`conversation_id` and the `probability` that its person rates it below the median, sorted."""
    ids, said = conversations_of(exchanges)
    probability = _weights().probability(experience_features(said)) if ids else None
    return pl.DataFrame(
        {"conversation_id": ids, "probability": pl.Series(probability, dtype=pl.Float64)},
        schema_overrides={"conversation_id": pl.String},
    )


@cache
def _weights() -> Linear:
    with as_file(files(__package__) / "weights" / "experience.safetensors") as shipped:
        models, _ = load(shipped)
    return models["experience"]
