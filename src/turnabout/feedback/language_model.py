"""Opening of the language model that miners share."""

from collections.abc import Iterable

from turnabout.feedback.base import LanguageModel, Miner, ModelMiner
from turnabout.feedback.mining import Mine
from turnabout.generation.config import OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models import checkpoints


def open_language_model(mine: Mine, context: OpenContext, seed: int) -> LanguageModel:
    """Open the model of `mine.generator` and the weights in `context.model`.

    Where the generator runs on those weights, they are loaded once.
    """
    generator = mine.generator.open(context)
    if isinstance(generator, LocalGenerator):
        checkpoint = generator.checkpoint
    else:
        checkpoint = checkpoints.load_checkpoint(context.model, context.dtype)
    return LanguageModel(generator=generator, checkpoint=checkpoint, batch_size=mine.batch_size, seed=seed)


def open_miners(mine: Mine, context: OpenContext, seed: int) -> list[Miner]:
    """Return `mine.miners`, those that need a language model with the model.

    The model is opened once, and only if a miner needs it.
    """
    if not any_needs_model(mine.miners):
        return list(mine.miners)
    model = open_language_model(mine, context, seed)
    return [miner.with_model(model) if isinstance(miner, ModelMiner) else miner for miner in mine.miners]


def any_needs_model(miners: Iterable[Miner]) -> bool:
    """Return whether any of the miners needs a language model."""
    return any(isinstance(miner, ModelMiner) for miner in miners)
