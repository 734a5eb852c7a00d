"""Section `evaluate` of params.yaml."""

from pydantic import Field

from turnabout.core.config import Count, Section


class Evaluate(Section):
    conversations: Count
    """Held-out conversations scored for the user model."""
    max_length: Count
    """First tokens of each in which the user's words are foreseen."""
    ending_length: Count
    """Last tokens of each in which leaving is foreseen."""
    contexts: Count
    """Held-out prompts every assistant answers, and held-out people whose first message every model writes."""
    items: Count
    """Items of role adherence, and as many of intent adherence, that every model of the user answers."""
    detector: Count
    """People of the train split whose first message the detector of naturalness sees, once more as an assistant plays
    them."""
    phrases_per_dimension: int = Field(gt=0, le=10)
    """Positive and negative follow-ups per dimension behind a follow-up likelihood; the phrases hold 10 of each."""
    max_new_tokens: Count
    batch_size: Count
    resamples: Count
    """Bootstrap resamples of users behind every interval."""
