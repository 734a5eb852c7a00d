"""The command `turnabout`: run, plan, ui, doctor. Nothing heavy is imported before a command is chosen."""

import argparse
import sys
from collections.abc import Sequence

from turnabout.commands import COMMANDS
from turnabout.errors import TurnaboutError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. A `TurnaboutError` ends it with its message and status 1, Ctrl-C with status 130."""
    parser = argparse.ArgumentParser(
        prog="turnabout", description="Conversation logs in; a user model, a trained assistant and the evidence out."
    )
    chosen = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").splitlines()[0]
        options = chosen.add_parser(name, help=summary, description=summary)
        command.add_arguments(options)
        options.set_defaults(execute=command.execute)
    parsed = vars(parser.parse_args(arguments))
    try:
        sys.exit(parsed.pop("execute")(**parsed))
    except TurnaboutError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
