"""Checks of a run's logs and backbone before any server or stage starts."""

import contextlib
from collections.abc import Collection
from pathlib import Path

from turnabout.models.checkpoints import check_backbone
from turnabout.params import Params
from turnabout.sources.base import list_all_pieces


def check_run_inputs(root: Path, params: Params, stages: Collection[str]) -> None:
    """Raise the error with which the stages `ingest` and `backbone` would end.

    `stages` are the stages that will run. The checks are those of the stages themselves; they read neither logs nor
    weights. Raises `ConfigError` or `DataError` for the logs and `ModelError` for the backbone.
    """
    with contextlib.chdir(root):  # the paths in params.yaml are relative to the project's root
        if "ingest" in stages:
            list_all_pieces(params.ingest.sources, Path(params.ingest.watch))
        if "backbone" in stages:
            check_backbone(params.backbone.name)
