"""Stage: a backbone's name in, a manifest that pins its weights out."""

from pathlib import Path

from stages._command import command
from turnabout.core.io import write_json
from turnabout.models import checkpoints
from turnabout.params import load_params


def main(model: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Pin the backbone; write its manifest and its number of parameters."""
    manifest = checkpoints.pin_backbone(load_params(params).backbone.name)
    checkpoints.write_manifest(manifest, model)
    write_json({"n_parameters": checkpoints.load_checkpoint(model).model.num_parameters()}, metrics)


if __name__ == "__main__":
    command(main)
