"""Fixture: a tiny user model with random weights that write varied text."""

from pathlib import Path

import pytest
import torch

from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.user_model.train import add_end_token


@pytest.fixture
def user_model(tiny_checkpoint: Path) -> Checkpoint:
    """Return the tiny model in float32 with the end-of-conversation token."""
    checkpoint = checkpoints.load_checkpoint(tiny_checkpoint, "float32")
    torch.manual_seed(3)
    for parameter in checkpoint.model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.5)
    return add_end_token(checkpoint)
