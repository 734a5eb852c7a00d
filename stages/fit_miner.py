"""Fits the learned miner on your own labels: messages and the labels of `turnabout label` in, weights out.

`python -m stages.fit_miner --messages data/messages --splits data/splits.parquet --labels labels/feedback.csv
--weights labels/miner.safetensors --metrics metrics/fit_miner.json`, run by hand once there are labels; then
params.yaml names the weights: {miner: learned, weights: labels/miner.safetensors}. They lie in `labels/` because `mine`
watches it.
"""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.conversations import exchanges
from turnabout.core.io import read_frame, write_json
from turnabout.feedback.fitting import figures, fit_reactions, labelled
from turnabout.feedback.miners.linear import save
from turnabout.labels.tables import read_labels, trainable


def main(messages: Path, splits: Path, labels: Path, weights: Path, metrics: Path) -> None:
    """The accuracy in `metrics` is that on people who were held out."""
    said = trainable(read_labels(labels), read_frame(splits, schemas.SPLITS))
    examples = labelled(exchanges(read_frame(messages, schemas.MESSAGES)), said)
    fitted = fit_reactions(examples)
    save(fitted.models, fitted.about, weights)
    write_json(figures(examples, fitted.held_out), metrics)


if __name__ == "__main__":
    command(main)
