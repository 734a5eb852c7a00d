"""The four aspects for which replies are rated, each with its own scale.

The aspects are those of UltraFeedback (Cui et al. 2023); the wording is ours.
"""

from typing import NamedTuple


class Aspect(NamedTuple):
    """One quality of a reply.

    `scale` says what its lowest, middle and highest rating mean.
    """

    name: str
    question: str
    scale: str


ASPECTS = (
    Aspect(
        "instruction_following",
        "Does the text do what the user asked for, all of it and in the form asked for?",
        "1: something else; 3: the main thing, or with wishes overlooked; 5: all of it.",
    ),
    Aspect(
        "honesty",
        "Is the text as sure of itself as it has reason to be, and does it say what it does not know?",
        "1: sure and wrong, or evasive though it knows; 3: too sure or too unsure in places; 5: as sure as it may be.",
    ),
    Aspect(
        "truthfulness",
        "Does the text agree with facts, with the conversation and with itself?",
        "1: mostly wrong or made up; 3: partly wrong; 5: nothing wrong.",
    ),
    Aspect(
        "helpfulness",
        "Is what the text says correct, clear, complete enough and of use to this user?",
        "1: of no use; 3: of some use, with gaps or ballast; 5: could hardly serve better.",
    ),
)
