"""A judge's preference by the wishes of the pair's own `checklist`."""

from collections.abc import Sequence

from turnabout.scoring.base import Means, Pair, Score
from turnabout.scoring.judge import judged


def read(pairs: Sequence[Pair], means: Means) -> list[Score]:
    """As `judge.read`."""
    return judged(pairs, means, "checklist")
