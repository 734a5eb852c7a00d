"""Section `evaluate` of params.yaml."""

from pydantic import Field

from turnabout.core.config import Count, Section


class Evaluate(Section):
    """Settings of the evaluation: sizes, lengths and the bootstrap."""

    conversations: Count
    """Held-out conversations scored for the user model."""
    max_length: Count
    """First tokens of each conversation in which user messages are scored."""
    ending_length: Count
    """Last tokens of each conversation in which its end is predicted."""
    contexts: Count
    """Held-out prompts that every assistant answers, and held-out people whose first message every model writes."""
    items: Count
    """Items of role adherence, and as many of intent adherence, that every user model answers."""
    detector: Count
    """People of the train split whose first message trains the naturalness detector, with an assistant's version."""
    phrases_per_dimension: int = Field(gt=0, le=10)
    """Positive and negative follow-ups per dimension behind a follow-up likelihood; the phrases hold 10 of each."""
    max_new_tokens: Count
    """Tokens of a generated answer or user turn, at most."""
    batch_size: Count
    resamples: Count
    """Bootstrap resamples of users behind every interval."""
