"""Scorers by name: how much each thinks of two replies to one prompt."""

from turnabout.scoring import (
    checklist,
    follow_up,
    follow_up_calibrated,
    judge,
    length,
    likelihood,
    self_reference,
)
from turnabout.scoring.base import Means, Pair, Score, Scorer

SCORERS: dict[str, Scorer] = {
    "length": Scorer("nothing", length.read),
    "likelihood": Scorer("assistant", likelihood.read, probabilities=True),
    "follow_up": Scorer("user", follow_up.read, follow_up.settle, probabilities=True),
    "follow_up_calibrated": Scorer("user", follow_up.read, follow_up_calibrated.settle, probabilities=True),
    "judge": Scorer("assistant", judge.read),
    "checklist": Scorer("assistant", checklist.read, checklist=True),
    "self_reference": Scorer("assistant", self_reference.read),
}

__all__ = ["SCORERS", "Means", "Pair", "Score", "Scorer"]
