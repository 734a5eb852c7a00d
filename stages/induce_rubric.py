"""Makes a rubric out of your own labels: messages and the labels of `turnabout label` in, criteria as YAML out.

`python -m stages.induce_rubric --messages data/messages --splits data/splits.parquet --labels labels/feedback.csv
--model models/backbone --rubric labels/rubric.yaml --metrics metrics/induce_rubric.json`, run by hand once there are
labels; then params.yaml names the rubric: {miner: rubric, rubric: labels/rubric.yaml}. It lies in `labels/` because
`mine` watches it.
"""

from pathlib import Path

import yaml

from stages._command import command
from stages._language_model import open_language_model
from turnabout.core import schemas
from turnabout.core.conversations import build_exchanges
from turnabout.core.io import read_frame, write_json, write_text
from turnabout.feedback.rubric_induction import induce_rubric
from turnabout.labels.tables import read_labels, drop_test_labels
from turnabout.params import load_params


def main(
    messages: Path,
    splits: Path,
    labels: Path,
    model: Path,
    rubric: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Read the rubric before you use it: a model wrote it, from what people wrote."""
    loaded = load_params(params)
    said = build_exchanges(read_frame(messages, schemas.MESSAGES))
    at_hand = open_language_model(loaded.mine, model, loaded.backbone.dtype, loaded.seed)
    judged = drop_test_labels(read_labels(labels), read_frame(splits, schemas.SPLITS))
    induced = induce_rubric(said, judged, at_hand)
    write_text(yaml.safe_dump(induced.criteria.model_dump(), sort_keys=False, allow_unicode=True), rubric)
    counts = {"n_explained": induced.n_explained, "n_unexplained": induced.n_unexplained}
    n_criteria = {label: len(induced.criteria.select_by_label(label)) for label in ("sat", "dsat")}
    write_json({"n_criteria": n_criteria, **counts}, metrics)


if __name__ == "__main__":
    command(main)
