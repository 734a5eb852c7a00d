"""How stages open what miners read with: who answers their questions, and the weights that tell likelihoods."""

from pathlib import Path

from stages._models import open_configured_model
from turnabout.feedback.base import LanguageModel
from turnabout.feedback.mining import Mine
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models import checkpoints


def open_language_model(mine: Mine, model: Path, dtype: str, seed: int) -> LanguageModel:
    """The author of `mine`, and the weights in `model`; where the author is those weights, they are loaded once."""
    writer = open_configured_model(mine.generator, model, dtype, mine.batch_size)
    checkpoint = writer.checkpoint if isinstance(writer, LocalGenerator) else checkpoints.load_checkpoint(model, dtype)
    return LanguageModel(writer, checkpoint, mine.batch_size, seed)
