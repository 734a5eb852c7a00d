"""Whether a reply meets what a user complained about: yes or no, by a majority of votes.

Each vote is the same question in other words (ILF, Scheurer et al. 2023, §3: an ensemble of prompts, ranked by the
probability of yes); the majority decides and ties are dropped (SPaR, Cheng et al. 2024, §3.2).
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

#: Every vote asks one of these, under the record of the case.
WORDINGS = (
    "Does the new reply put right what the user objected to?",
    "Had the user been given the new reply instead, would they have been content with it?",
    "Judge by what the user said afterwards: is the new reply what they had wanted?",
    "Is the objection of the user met by the new reply?",
    "Would the user accept the new reply without saying again what they said?",
)

LETTERS = "Answer with one word, Yes or No."
OBJECT = """\
Answer with one JSON object and nothing else: the reason in one or two sentences, then "Yes" or "No". It looks like
this: {"reason": "What speaks for it.", "answer": "Yes"}"""


class Voting(NamedTuple):
    """How votes are taken. `scores` reads them from the probabilities of Yes and No, for generators that score;
    `answers` from a JSON object the judge writes, its reason first.
    """

    by: Literal["scores", "answers"]
    votes: int
    max_new_tokens: int
    retries: int
    seed: int


class Value(NamedTuple):
    """What the judge thinks of one reply. `score` is the mean probability of yes, `correct` the majority's vote."""

    score: float
    correct: bool


class Verdict(msgspec.Struct):
    """A vote as it must come. The reason comes first, so that the answer follows from it."""

    reason: str
    answer: Literal["Yes", "No"]


def judged(judge: Generator, records: Sequence[str], how: Voting) -> list[Value | None]:
    """The value of each record's new reply, in order; None where no vote on it can be used."""
    questions = [f"{record}\n{wording}" for record in records for wording in WORDINGS[: how.votes]]
    cast = votes(judge, questions, how)
    return [_counted(cast[i : i + how.votes]) for i in range(0, len(cast), how.votes)]


def votes(judge: Generator, questions: Sequence[str], how: Voting) -> list[float | None]:
    """P(yes) of each yes-or-no question by `scores`; by `answers` 1 for yes, 0 for no, None where it cannot be used."""
    return _by_scores(judge, questions) if how.by == "scores" else _by_answers(judge, questions, how)


def _by_scores(judge: Generator, questions: Sequence[str]) -> list[float | None]:
    """P(yes) of each question, where only yes and no are possible."""
    prompts: list[list[Message]] = [[{"role": "user", "content": f"{text} {LETTERS}"}] for text in questions]
    scored = judge.score(prompts, [["Yes", "No"]] * len(prompts))
    return [(1 + math.tanh((yes.logp - no.logp) / 2)) / 2 for yes, no in scored]


def _by_answers(judge: Generator, questions: Sequence[str], how: Voting) -> list[float | None]:
    """1 for yes, 0 for no, None for an answer that cannot be used."""
    asked = [Question(f"{text}\n{OBJECT}", _read) for text in questions]
    found = ask(judge, asked, Asking('{"reason": "', how.max_new_tokens, how.retries, how.seed, Verdict))
    return [None if isinstance(vote, Unusable) else vote for vote in found]


def _read(answer: Completion) -> float:
    return 1.0 if shaped(answer, Verdict).answer == "Yes" else 0.0


def _counted(votes: Sequence[float | None]) -> Value | None:
    """The votes of one reply together. Ties and votes that cannot be used are dropped."""
    cast = [vote for vote in votes if vote is not None]
    yes, no = sum(vote > 0.5 for vote in cast), sum(vote < 0.5 for vote in cast)
    return Value(sum(cast) / len(cast), yes > no) if cast else None
