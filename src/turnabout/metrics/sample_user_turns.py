"""A language model playing the user: the turns it writes there, drawn the same way for every model and metric."""

from collections.abc import Sequence

from turnabout.generation import Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.simulation.users import PromptedUser, Situation, TrainedUser

#: How user turns are drawn: the settings of the published user model's card (Naous et al. 2025).
TEMPERATURE, TOP_P = 1.0, 0.8


def turns(model: LocalGenerator, situations: Sequence[Situation], max_new_tokens: int, seed: int) -> list[str]:
    """The next user turn of each conversation, without guards; the model may not leave in its place.

    A model that speaks as the user is taken for a user model; one that speaks as the assistant is told to act as one.
    """
    user = TrainedUser(model) if model.speaks == "user" else PromptedUser(model)
    drawn = user.speak(situations, Sampling(max_new_tokens, TEMPERATURE, TOP_P, seed, may_end=False))
    return [turn.text for turn in drawn]
