"""The section `build_pairs.quality`: which measures are taken of every arm's pairs, and what is dropped by them."""

from typing import Annotated

from pydantic import Field

from turnabout.core.config import Section
from turnabout.quality.strength import Strength


class Highest(Section):
    """A measure that a column holds, and the share of training pairs dropped for having most of it."""

    drop_top: Annotated[float, Field(ge=0, lt=1)]
    """0 measures and drops nothing."""


class Quality(Section):
    """Measures and filters of pairs, in the order they are applied; null (or false) is off.

    The first three need the pairs and the log alone. `strength`, `difficulty` and `ches` read both replies of every
    pair once with the policy before training.
    """

    leaks: bool
    """Whether pairs go whose prompt holds what the person said only later."""
    contradictions: bool
    """Whether pairs go that others of the arm contradict with as much weight or more."""
    max_length_ratio: Annotated[float, Field(gt=1)] | None
    """Pairs go of which one reply has more than so many times the characters of the other."""
    strength: Strength | None
    difficulty: Highest | None
    ches: Highest | None
    max_per_person: Annotated[int, Field(gt=0)] | None
    """Most pairs kept of one person, the heaviest first."""

    @property
    def reads_policy(self) -> bool:
        """Whether any measure needs the policy."""
        return any(measure is not None for measure in (self.strength, self.difficulty, self.ches))
