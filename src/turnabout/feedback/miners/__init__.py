"""Miners by name.

A new miner is one file here, one line in `MINERS` and one entry of `mine.miners`.
"""

from turnabout.feedback.base import Miner
from turnabout.feedback.miners.experience import Experience
from turnabout.feedback.miners.explicit import Explicit
from turnabout.feedback.miners.follow_up import FollowUp
from turnabout.feedback.miners.learned import Learned
from turnabout.feedback.miners.rephrase import Rephrase
from turnabout.feedback.miners.rubric import Rubric
from turnabout.feedback.miners.rules import Rules

__all__ = ["MINERS", "Miner"]

#: Every miner by its `miner` in `params.yaml`, which is also the name of its file.
MINERS: dict[str, type[Miner]] = {
    "explicit": Explicit,
    "rules": Rules,
    "rephrase": Rephrase,
    "follow_up": FollowUp,
    "learned": Learned,
    "experience": Experience,
    "rubric": Rubric,
}
