"""The project of a command.

It is the nearest folder upwards with `dvc.yaml` and `params.yaml`.
"""

from pathlib import Path

from turnabout.errors import ConfigError

REPORT = Path("report") / "index.html"

#: The comparison of the user model's arms, written by the pipeline in `ablations/`.
ARM_TABLE = Path("ablations") / "table.md"


def find_root(start: Path) -> Path:
    """Return the project's root at or above `start`.

    Raises `ConfigError` if there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "dvc.yaml").exists() and (folder / "params.yaml").exists():
            return folder
    raise ConfigError(f"{start.resolve()}: no dvc.yaml and params.yaml here or above; change into a turnabout project")
