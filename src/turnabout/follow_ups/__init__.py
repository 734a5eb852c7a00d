"""What a satisfied and a dissatisfied person would say next, and how likely a model of the user finds it."""

from turnabout.follow_ups.likelihood import follow_up_likelihood
from turnabout.follow_ups.phrases import Phrases, load_phrases

__all__ = ["Phrases", "follow_up_likelihood", "load_phrases"]
