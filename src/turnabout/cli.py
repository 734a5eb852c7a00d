"""The command line `turnabout`.

`turnabout.commands.COMMANDS` lists the commands. No library is imported before a command is chosen, so that `--help`
answers at once.
"""

import argparse
import sys
from collections.abc import Sequence

from turnabout.commands import COMMANDS
from turnabout.errors import TurnaboutError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status.

    A `TurnaboutError` ends the command with its message and status 1, Ctrl-C with status 130.
    """
    options = vars(_build_parser().parse_args(arguments))
    execute = options.pop("execute")
    try:
        sys.exit(execute(**options))
    except TurnaboutError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


class _PrintVersion(argparse.Action):
    """The option `--version`; it looks the version up only if it is given."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('turnabout')}")
        parser.exit()


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="turnabout",
        description="Train a user model and an assistant from conversation logs, and report the evidence for both.",
        epilog="example: turnabout run. Each command has its own help: turnabout run --help",
    )
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, default=argparse.SUPPRESS, help="show the version and exit"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").splitlines()[0]
        command_parser = commands.add_parser(name, help=summary, description=summary)
        command.add_arguments(command_parser)
        command_parser.set_defaults(execute=command.execute)
    return parser
