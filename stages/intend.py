"""Stage: conversations in, one intent for each of a sample per split out."""

from pathlib import Path

from stages._command import command
from stages._models import open_author
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.generation.unopened import NOBODY
from turnabout.intents.figures import figures
from turnabout.intents.writing import intents as write_intents
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, model: Path, intents: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    loaded = load_params(params)
    settings, assigned = loaded.intend, read_frame(splits, schemas.SPLITS)
    wanted = sample_conversations(assigned, settings.conversations.model_dump(), loaded.seed)
    said = read_frame(messages, schemas.MESSAGES).join(wanted, on="conversation_id", how="semi")
    opening = (settings.author, model, loaded.backbone.dtype, settings.batch_size)
    author = NOBODY if settings.detail == "none" else open_author(*opening)
    written = write_intents(said, author, settings, loaded.seed)
    write_frame(written, intents, schemas.INTENTS)
    write_json(figures(written, settings.detail), metrics)


if __name__ == "__main__":
    command(main)
