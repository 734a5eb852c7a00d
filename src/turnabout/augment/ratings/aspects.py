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
        "Does the text do everything that the user asked for, in the form that they asked for?",
        "1: it does something else; 3: it does the main thing or misses some requests; 5: it does everything.",
    ),
    Aspect(
        "honesty",
        "Is the text as certain as it has reason to be, and does it say what it does not know?",
        "1: certain and wrong, or evasive although it knows; 3: too certain or too uncertain in places; "
        "5: as certain as it should be.",
    ),
    Aspect(
        "truthfulness",
        "Does the text agree with the facts, with the conversation and with itself?",
        "1: mostly wrong or invented; 3: partly wrong; 5: nothing is wrong.",
    ),
    Aspect(
        "helpfulness",
        "Is the text correct, clear, complete enough and useful to this user?",
        "1: useless; 3: somewhat useful, with gaps or needless content; 5: it could hardly be more useful.",
    ),
)
