"""What an arm of the user model is: its entry in section `user_arms`, and the rows it leaves behind."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.core.config import PerSplit, Section

#: One user message of one arm. `told` is what the model was told of the intent; `person` numbers the test people,
#: because a pseudonym is of no use here and would have to be forgotten with its owner.
TURNS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "person": pl.UInt32(),
        "turn": pl.Int64(),
        "told": pl.String(),
        "nats": pl.Float64(),
        "tokens": pl.Int64(),
        "characters": pl.Int64(),
    }
)

#: What every arm is told of the test people's intents, whatever it was trained with.
TOLD = ("high_level", "none")


class Ablate(Section):
    conversations: PerSplit
    """Conversations that arms are trained on (an arm with `share: 1` on all of them), and that all are measured on."""


class UserArm(Section):
    start: str
    """The model it is trained from: an embedded name, a Hugging Face Hub id, or a folder.

    DVC sees the name alone: where a folder holds other weights since, force the arm.
    """
    detail: Literal["none", "high_level", "full"]
    """How much the intents it is trained with tell, as in section `intend`."""
    share: float = Field(gt=0, le=1)
    """Share of the training conversations it is given; a smaller share is a part of every larger one."""
    learning_rate: float = Field(gt=0)
    """Of its own, because the best one is the start's: models differ by more than their training does."""
