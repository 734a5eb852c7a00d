"""Section `user_arms`, and the table of an arm's scored messages."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.core.config import PerSplit, Rate, Section

#: One user message of one arm. `intent_detail` is how detailed the intent was that the model was given; `person` is a
#: number for each test person, because a pseudonym would have to be forgotten together with its owner.
ARM_TURNS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "person": pl.UInt32(),
        "turn": pl.Int64(),
        "intent_detail": pl.String(),
        "nats": pl.Float64(),
        "tokens": pl.Int64(),
        "characters": pl.Int64(),
    }
)

#: Details of the test people's intents with which every arm is evaluated, however it was trained.
EVALUATED_DETAILS = ("high_level", "none")


class Ablate(Section):
    """Section `ablate` of `params.yaml`."""

    conversations: PerSplit
    """Conversations that arms are trained on (an arm with `share: 1` on all of them), and that all are measured on."""


class UserArm(Section):
    """One arm of the user model: start, training data, learning rate."""

    start: str
    """Initial model: an embedded name, a Hugging Face Hub id, or a folder.

    DVC tracks only the name: if the weights in a folder have changed, force the arm to run again.
    """
    detail: Literal["none", "high_level", "full"]
    """Detail of the intents it is trained with, as in section `intend`."""
    share: float = Field(gt=0, le=1)
    """Share of the training conversations it uses; a smaller share is a subset of every larger one."""
    learning_rate: Rate
    """Learning rate of this arm, because the best one depends on the start more than on anything else."""
