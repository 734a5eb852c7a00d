"""Stage: flip conversations into training samples for the user model."""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.intents.flipping import count_samples, flip_conversations
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, intents: Path, *, samples: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    """Flip the conversations that have an intent, by the section `flip`."""
    log, written = read_frame(messages, schemas.MESSAGES), read_frame(intents, schemas.INTENTS)
    flipped = flip_conversations(log, read_frame(splits, schemas.SPLITS), written, load_params(params).flip.mirror)
    write_frame(flipped, samples, schemas.USER_SAMPLES)
    write_json(count_samples(log, written, flipped), metrics)


if __name__ == "__main__":
    command(main)
