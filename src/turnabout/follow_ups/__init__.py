"""Follow-up likelihood as reward: phrases, likelihoods and calibration."""

from turnabout.follow_ups.calibration import calibrate_logps
from turnabout.follow_ups.likelihood import average_rewards, compute_follow_up_rewards, compute_phrase_logps
from turnabout.follow_ups.phrases import Phrases, load_phrases

__all__ = [
    "Phrases",
    "average_rewards",
    "calibrate_logps",
    "compute_follow_up_rewards",
    "compute_phrase_logps",
    "load_phrases",
]
