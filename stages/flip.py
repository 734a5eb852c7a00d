"""Stage: conversations and intents in, flipped training samples for the user model out."""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.intents.flipping import counts, flip
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, intents: Path, samples: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    said, wanted = read_frame(messages, schemas.MESSAGES), read_frame(intents, schemas.INTENTS)
    flipped = flip(said, read_frame(splits, schemas.SPLITS), wanted, load_params(params).flip.mirror)
    write_frame(flipped, samples, schemas.USER_SAMPLES)
    write_json(counts(said, wanted, flipped), metrics)


if __name__ == "__main__":
    command(main)
