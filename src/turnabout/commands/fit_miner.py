"""Fit the miner `learned` to your own labels.

Reads data/messages, data/splits.parquet and labels/feedback.csv of the project; labels of the test split are left out.
Writes the weights, and figures with the accuracy on held-out people. Then name the weights in params.yaml:
{miner: learned, weights: labels/miner.safetensors}. Keep them in labels/, because DVC watches that folder for `mine`.

Example: turnabout fit-miner --weights labels/miner.safetensors
"""

import argparse
from pathlib import Path


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the paths of the outputs, which are relative to the project."""
    options.epilog = "example: turnabout fit-miner --weights labels/miner.safetensors"
    options.add_argument(
        "--weights",
        type=Path,
        default=Path("labels/miner.safetensors"),
        metavar="FILE",
        help="output file of the weights, relative to the project (default: %(default)s)",
    )
    options.add_argument(
        "--metrics",
        type=Path,
        default=Path("metrics/fit_miner.json"),
        metavar="FILE",
        help="output file of the accuracy on held-out people, relative to the project (default: %(default)s)",
    )


def execute(*, weights: Path, metrics: Path) -> int:
    """Fit the miner, write weights and figures, and return status 0."""
    from turnabout.core import schemas
    from turnabout.core.conversations import build_exchanges
    from turnabout.core.io import read_frame, write_json
    from turnabout.feedback.fitting import build_examples, fit_reaction_models, measure_held_out
    from turnabout.feedback.miners.linear import save_models
    from turnabout.labels.tables import LABELS_FILE, drop_test_labels, read_labels
    from turnabout.pipeline.project import find_root

    root = find_root(Path.cwd())
    exchanges = build_exchanges(read_frame(root / "data" / "messages", schemas.MESSAGES))
    splits = read_frame(root / "data" / "splits.parquet", schemas.SPLITS)
    labels = drop_test_labels(read_labels(root / "labels" / LABELS_FILE), splits)
    examples = build_examples(exchanges, labels)
    fitted = fit_reaction_models(examples)
    save_models(fitted.models, fitted.metadata, root / weights)
    figures = measure_held_out(examples, fitted.held_out)
    write_json(figures, root / metrics)
    print(f"fitted on {figures['n_examples']} labelled exchanges; AUC on held-out people: {figures['auc']:.3f}")
    print(f"weights: {root / weights}; name them in params.yaml: {{miner: learned, weights: {weights}}}")
    return 0
