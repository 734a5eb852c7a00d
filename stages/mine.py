"""Stage: messages in, the feedback that people left in passing out."""

import sys
from pathlib import Path

from stages._command import command
from turnabout import schemas
from turnabout.conversations import exchanges
from turnabout.feedback.mining import mine, summary
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params


def main(messages: Path, feedback: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Run every miner of `mine.miners`; a log without feedback is an empty table and a warning, not an error."""
    settings = load_params(params).mine
    replies = exchanges(read_frame(messages, schemas.MESSAGES))
    mined = mine(replies, settings.miners, settings.min_confidence)
    figures = summary(replies, mined)
    write_frame(mined.signals, feedback, schemas.FEEDBACK)
    write_json(figures, metrics)
    for warning in figures["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    command(main)
