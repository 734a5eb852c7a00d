"""Write a rubric for the miner `rubric` from your own labels.

Reads data/messages, data/splits.parquet and labels/feedback.csv of the project; labels of the test split are left out.
The model of `mine.generator` explains the labels and sums up the reasons as criteria. Read the rubric before you use
it: a model wrote it, from what people wrote. Then name it in params.yaml: {miner: rubric, rubric: labels/rubric.yaml}.
Keep it in labels/, because DVC watches that folder for `mine`.

Example: turnabout induce-rubric --rubric labels/rubric.yaml
"""

import argparse
from pathlib import Path


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the model and the paths of the outputs, all relative to the project."""
    options.epilog = "example: turnabout induce-rubric --rubric labels/rubric.yaml"
    options.add_argument(
        "--model",
        type=Path,
        default=Path("models/backbone"),
        metavar="FOLDER",
        help="model for `mine.generator: {backend: local}`, relative to the project (default: %(default)s)",
    )
    options.add_argument(
        "--rubric",
        type=Path,
        default=Path("labels/rubric.yaml"),
        metavar="FILE",
        help="output file of the rubric, relative to the project (default: %(default)s)",
    )
    options.add_argument(
        "--metrics",
        type=Path,
        default=Path("metrics/induce_rubric.json"),
        metavar="FILE",
        help="output file of the counts of explained labels, relative to the project (default: %(default)s)",
    )


def execute(*, model: Path, rubric: Path, metrics: Path) -> int:
    """Induce the rubric, write it and its counts, and return status 0."""
    from turnabout.core import schemas
    from turnabout.core.conversations import build_exchanges
    from turnabout.core.io import read_frame, write_json, write_text
    from turnabout.feedback.language_model import open_language_model
    from turnabout.feedback.miners.criteria import dump_criteria
    from turnabout.feedback.rubric_induction import count_criteria, induce_rubric
    from turnabout.generation.config import OpenContext
    from turnabout.generation.store import ANSWERS_FILE
    from turnabout.labels.tables import LABELS_FILE, drop_test_labels, read_labels
    from turnabout.params import load_params
    from turnabout.pipeline.project import find_root

    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    exchanges = build_exchanges(read_frame(root / "data" / "messages", schemas.MESSAGES))
    splits = read_frame(root / "data" / "splits.parquet", schemas.SPLITS)
    labels = drop_test_labels(read_labels(root / "labels" / LABELS_FILE), splits)
    context = OpenContext(
        model=root / model,
        dtype=params.backbone.dtype,
        batch_size=params.mine.batch_size,
        answers=root / ANSWERS_FILE,
    )
    induced = induce_rubric(exchanges, labels, open_language_model(params.mine, context, params.seed))
    write_text(dump_criteria(induced.criteria), root / rubric)
    counts = count_criteria(induced)
    write_json(counts, root / metrics)
    print(f"criteria: {counts['n_criteria']}; explained labels: {counts['n_explained']}")
    print(f"rubric: {root / rubric}; read it, then name it in params.yaml: {{miner: rubric, rubric: {rubric}}}")
    return 0
