"""Stage: one arm's preference pairs in; a reward head out.

The head is on the frozen backbone.
"""

from pathlib import Path

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_json
from turnabout.core.stage_output import print_warning
from turnabout.models import checkpoints
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.training.reward_model import save_head, train_reward


def main(pairs: Path, model: Path, reward: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Train the reward head of one arm, and write it with its metrics."""
    loaded = load_params(params)
    options = loaded.train_reward
    checkpoint = checkpoints.load_checkpoint(model, loaded.backbone.dtype)
    check_context(checkpoint, {"train_reward.max_length": options.max_length})
    head, figures = train_reward(checkpoint, read_frame(pairs, schemas.PAIRS), options=options)
    if reason := figures["train_accuracy"].get("reason"):
        print_warning(reason)
    save_head(head, reward)
    write_json(figures, metrics)


if __name__ == "__main__":
    command(main)
