"""Follow-up likelihood with every follow-up on one scale, over all pairs of the file (`follow_ups.calibration`)."""

from collections.abc import Sequence

from turnabout.follow_ups import calibrated
from turnabout.scoring.base import Reading, Score
from turnabout.scoring.follow_up import as_contexts, scores


def settle(readings: Sequence[Reading]) -> list[Score]:
    """The calibrated reward of both replies, in standard deviations of a follow-up among replies to a prompt."""
    return scores(calibrated(as_contexts(readings), [i // 2 for i in range(2 * len(readings))]))
