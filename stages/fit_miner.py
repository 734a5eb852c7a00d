"""Fits the learned miner on your own labels: messages and the labels of `turnabout label` in, weights out.

`python -m stages.fit_miner --messages data/messages --splits data/splits.parquet --labels labels/feedback.csv
--weights labels/miner.safetensors --metrics metrics/fit_miner.json`, run by hand once there are labels; then
params.yaml names the weights: {miner: learned, weights: labels/miner.safetensors}. They lie in `labels/` because `mine`
watches it.
"""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.conversations import build_exchanges
from turnabout.core.io import read_frame, write_json
from turnabout.feedback.fitting import measure_held_out, fit_reaction_models, build_examples
from turnabout.feedback.miners.linear import save_models
from turnabout.labels.tables import read_labels, drop_test_labels


def main(messages: Path, splits: Path, labels: Path, weights: Path, metrics: Path) -> None:
    """The accuracy in `metrics` is that on people who were held out."""
    said = drop_test_labels(read_labels(labels), read_frame(splits, schemas.SPLITS))
    examples = build_examples(build_exchanges(read_frame(messages, schemas.MESSAGES)), said)
    fitted = fit_reaction_models(examples)
    save_models(fitted.models, fitted.metadata, weights)
    write_json(measure_held_out(examples, fitted.held_out), metrics)


if __name__ == "__main__":
    command(main)
