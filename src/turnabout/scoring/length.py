"""The longer reply wins: what any other scorer must beat."""

from collections.abc import Sequence

from turnabout.scoring.base import Means, Pair, Score, larger


def read(pairs: Sequence[Pair], _: Means) -> list[Score]:
    """Characters."""
    return [larger(len(pair.a), len(pair.b)) for pair in pairs]
