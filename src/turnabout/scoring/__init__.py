"""Table of the scorers, which say how good two replies to one prompt are."""

from turnabout.scoring import scorers
from turnabout.scoring.base import Pair, Score, Scorer, ScorerContext

#: Every scorer by its name in `turnabout score --by`.
SCORERS: dict[str, Scorer] = {
    "length": Scorer("nothing", scorers.score_length),
    "likelihood": Scorer("assistant", scorers.score_likelihood, needs_probabilities=True),
    "follow_up": Scorer(
        "user", scorers.compute_follow_up_logps, finalize=scorers.finalize_follow_up, needs_probabilities=True
    ),
    "follow_up_calibrated": Scorer(
        "user",
        scorers.compute_follow_up_logps,
        finalize=scorers.finalize_calibrated_follow_up,
        needs_probabilities=True,
    ),
    "judge": Scorer("assistant", scorers.judge_plainly),
    "checklist": Scorer("assistant", scorers.judge_by_checklist, needs_checklist=True),
    "self_reference": Scorer("assistant", scorers.judge_by_self_reference),
}

__all__ = ["SCORERS", "Pair", "Score", "Scorer", "ScorerContext"]
