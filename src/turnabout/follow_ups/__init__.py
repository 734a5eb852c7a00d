"""What a satisfied and a dissatisfied person would say next, and how likely a model of the user finds it."""

from turnabout.follow_ups.calibration import calibrated
from turnabout.follow_ups.likelihood import follow_up_likelihood, phrase_logps, rewards
from turnabout.follow_ups.phrases import Phrases, load_phrases

__all__ = ["Phrases", "calibrated", "follow_up_likelihood", "load_phrases", "phrase_logps", "rewards"]
