"""How stages open what miners read with: who answers their questions, and the weights that tell likelihoods."""

from pathlib import Path

from stages._models import open_author
from turnabout import backbones
from turnabout.feedback.base import LanguageModel
from turnabout.generation.local import LocalGenerator
from turnabout.params import Mine


def open_language_model(mine: Mine, model: Path, dtype: str, seed: int) -> LanguageModel:
    """The author of `mine`, and the weights in `model`; where the author is those weights, they are loaded once."""
    writer = open_author(mine.author, model, dtype, mine.batch_size)
    checkpoint = writer.checkpoint if isinstance(writer, LocalGenerator) else backbones.load(model, dtype)
    return LanguageModel(writer, checkpoint, mine.batch_size, seed)
