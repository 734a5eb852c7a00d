"""Stage: write one intent for each conversation of a sample per split."""

from pathlib import Path

from stages._command import command
from stages._models import open_configured_model
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.generation import Generator
from turnabout.generation.unopened import UNOPENED
from turnabout.intents.figures import summarize_intents
from turnabout.intents.writing import write_intents
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, model: Path, *, intents: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    """Write the intents by the section `intend`.

    In detail `none` no model is opened.
    """
    loaded = load_params(params)
    settings, assigned = loaded.intend, read_frame(splits, schemas.SPLITS)
    sampled = sample_conversations(assigned, settings.conversations.model_dump(), loaded.seed)
    log = read_frame(messages, schemas.MESSAGES).join(sampled, on="conversation_id", how="semi")
    generator: Generator = UNOPENED
    if settings.detail != "none":
        generator = open_configured_model(settings.generator, model, loaded.backbone.dtype, settings.batch_size)
    written = write_intents(log, generator, settings, loaded.seed)
    write_frame(written, intents, schemas.INTENTS)
    write_json(summarize_intents(written, settings.detail), metrics)


if __name__ == "__main__":
    command(main)
