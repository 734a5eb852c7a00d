"""Votes on whether a reply meets a user's complaint: yes or no, by majority.

Each vote is the same question in other words (ILF, Scheurer et al. 2023, §3: an ensemble of prompts, ranked by the
probability of yes). The majority decides, and ties are dropped (SPaR, Cheng et al. 2024, §3.2).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from turnabout.generation import Completion, Generator
from turnabout.judging.choice import ChoiceFormat, ChoiceOptions, choose, probability_lead
from turnabout.prompting.structured import UnusableAnswer, parse_json

#: The wordings of the question; each vote appends one to the record of the case.
WORDINGS = (
    "Does the new reply correct what the user objected to?",
    "If the user had received the new reply instead, would they have been satisfied with it?",
    "Judging by what the user said afterwards, is the new reply what they wanted?",
    "Does the new reply resolve the user's objection?",
    "Would the user accept the new reply without repeating what they said?",
)

LETTERS = "Answer with one word, Yes or No."
OBJECT = """\
Answer with one JSON object and nothing else. It has two fields: "reason", in one or two sentences, and then "answer",
which is "Yes" or "No". Example of the form: {"reason": "The reason for the answer.", "answer": "Yes"}"""


class VoteResult(NamedTuple):
    """The judge's votes on one reply.

    `score` is the mean probability of yes, `correct` is the vote of the majority.
    """

    score: float
    correct: bool


class VoteAnswer(msgspec.Struct):
    """The shape of a written vote.

    The reason comes first, so that the answer follows from it.
    """

    reason: str
    answer: Literal["Yes", "No"]


def vote_on_records(
    judge: Generator, records: Sequence[str], n_votes: int, options: ChoiceOptions
) -> list[VoteResult | None]:
    """Return the votes on each record's new reply, in order.

    `n_votes` of `WORDINGS` are asked about each record. None stands for a reply without any usable vote.
    """
    questions = []
    for record in records:
        questions += [f"{record}\n{wording}" for wording in WORDINGS[:n_votes]]
    votes = ask_yes_or_no(judge, questions, options)
    return [_count_votes(votes[i : i + n_votes]) for i in range(0, len(votes), n_votes)]


def ask_yes_or_no(judge: Generator, questions: Sequence[str], options: ChoiceOptions) -> list[float | None]:
    """Return P(yes) of each question, where only yes and no are possible.

    A written answer gives 1 for yes and 0 for no. None stands for an answer that cannot be used.
    """
    choices = choose(judge, questions, YES_OR_NO, options)
    return [
        None if isinstance(choice, UnusableAnswer) else (1 + probability_lead(choice, "Yes", "No")) / 2
        for choice in choices
    ]


def _read_vote(answer: Completion) -> str:
    """Return the vote of a written answer. Raises `UnusableAnswer`."""
    return parse_json(answer, VoteAnswer).answer


YES_OR_NO = ChoiceFormat(
    options=("Yes", "No"),
    score_request=f" {LETTERS}",
    answer_request=f"\n{OBJECT}",
    answer_shape=VoteAnswer,
    read_answer=_read_vote,
)


def _count_votes(votes: Sequence[float | None]) -> VoteResult | None:
    """Return the result of the votes on one reply.

    Ties and unusable votes are dropped.
    """
    usable = [vote for vote in votes if vote is not None]
    if not usable:
        return None
    n_yes = sum(vote > 0.5 for vote in usable)
    n_no = sum(vote < 0.5 for vote in usable)
    return VoteResult(score=sum(usable) / len(usable), correct=n_yes > n_no)
