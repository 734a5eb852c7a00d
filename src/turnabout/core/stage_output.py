"""The lines that a stage prints for people."""

import sys

#: First characters of every line of a warning. `turnabout run` shows such lines below the stage and at its end.
WARNING = "warning: "


def print_warning(text: str) -> None:
    """Print a warning to stderr, each line of it marked with `WARNING`.

    A progress bar that is on the screen moves below it.
    """
    from tqdm import tqdm

    tqdm.write("\n".join(WARNING + line for line in text.splitlines()), file=sys.stderr)
