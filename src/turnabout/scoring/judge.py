"""A judge's preference, asked in both orders."""

from collections.abc import Sequence
from typing import Literal

from turnabout.judging.base import Duel, Judging, Verdict
from turnabout.judging.pairwise import compare
from turnabout.scoring.base import Means, Pair, Score


def read(pairs: Sequence[Pair], means: Means) -> list[Score]:
    """How likely the judge prefers each reply, 0 to 1; what hangs on the order, or cannot be read, prefers none."""
    return judged(pairs, means, "plain")


def judged(pairs: Sequence[Pair], means: Means, judge: Literal["plain", "checklist", "self_reference"]) -> list[Score]:
    """The same by a judge of `JUDGES`."""
    duels = [Duel(pair.prompt, pair.a, pair.b, pair.checklist) for pair in pairs]
    how = Judging(judge, means.by, means.max_prompt_tokens)
    return [_score(verdict) for verdict in compare(means.model, duels, how)]


def _score(verdict: Verdict) -> Score:
    if not verdict.readable:
        return Score(None, None, None, verdict.reason)
    share = (1 + verdict.strength) / 2
    return Score(share, 1 - share, verdict.prefer, verdict.reason)
