"""The project a command works on, the nearest folder upwards with `dvc.yaml` and `params.yaml`, and its results."""

from pathlib import Path

from turnabout.errors import ConfigError

REPORT = Path("report") / "index.html"

#: The arms of the user model side by side, which the pipeline in `ablations/` writes.
ARM_TABLE = Path("ablations") / "table.md"


def find_root(start: Path) -> Path:
    """The project's root at or above `start`. Raises `ConfigError` where there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "dvc.yaml").exists() and (folder / "params.yaml").exists():
            return folder
    raise ConfigError(f"{start.resolve()}: no dvc.yaml and params.yaml here or above; change into a turnabout project")
