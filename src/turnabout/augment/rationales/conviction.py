"""How far an argument moves a judge: what tells a reason from words that would have been found for either side."""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple

import msgspec

from turnabout.augment.presented_pairs import ORDERS, Letter, Order, Shown
from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator
from turnabout.prompting.fencing import data
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

TASK = """\
Two replies, A and B, could follow the last message of a conversation. Somebody prefers reply {letter}.
{notice}
{record}
{argument}
"""
LETTER = "Which reply is better? Answer with one letter, A or B."
OBJECT = """\
Which reply is better? Answer with one JSON object and nothing else: the reason in one short sentence, then the better
reply, "A", "B" or "tie". It looks like this: {"reason": "Why.", "better": "tie"}"""


class Argument(NamedTuple):
    """Words that speak for one reply of a pair."""

    pair: Shown
    text: str
    for_better: bool

    def letter(self, order: Order) -> Letter:
        """The name of the reply they speak for, where the pair is shown in that order."""
        return "A" if (order == "cr") == self.for_better else "B"


class Verdict(msgspec.Struct):
    """A judge's answer as it must come. The reason comes first, so that the verdict follows from it."""

    reason: str
    better: Literal["A", "B", "tie"]


def convictions(
    judge: Generator, arguments: Sequence[Argument], by: Literal["scores", "answers"], max_tokens: int, how: Asking
) -> list[float | Unusable]:
    """How far the judge is on the argument's side after reading it, the mean over both orders of the replies.

    By `scores`, the log-odds of its reply's name in nats; by `answers`, 1 for its reply, -1 for the other one. A comes
    first in either order, so that neither a place nor a name wins anything.
    """
    asked = [(argument, order) for order in ORDERS for argument in arguments]
    told = [_task(argument, order, max_tokens) for argument, order in asked]
    for_a = _by_scores(judge, told) if by == "scores" else _by_answers(judge, told, how)
    sides = [
        each if isinstance(each, Unusable) else each if argument.letter(order) == "A" else -each
        for each, (argument, order) in zip(for_a, asked, strict=True)
    ]
    return [_mean(*both) for both in zip(sides[: len(arguments)], sides[len(arguments) :], strict=True)]


def _task(argument: Argument, order: Order, max_tokens: int) -> str:
    record = argument.pair._replace(order=order).record(max_tokens)
    told = data("argument", argument.text)
    return TASK.format(letter=argument.letter(order), notice=NOTICE, record=record, argument=told)


def _by_scores(judge: Generator, told: Sequence[str]) -> list[float | Unusable]:
    """log P(A) − log P(B) of each question, in nats."""
    prompts: list[list[Message]] = [[{"role": "user", "content": text + LETTER}] for text in told]
    return [a.logp - b.logp for a, b in judge.score(prompts, [["A", "B"]] * len(prompts))]


def _by_answers(judge: Generator, told: Sequence[str], how: Asking) -> list[float | Unusable]:
    """1 where the judge writes that A is better, -1 for B, 0 for a tie."""
    questions = [Question(text + OBJECT, _read) for text in told]
    return ask(judge, questions, how)


def _read(answer: Completion) -> float:
    return {"A": 1.0, "B": -1.0, "tie": 0.0}[shaped(answer, Verdict).better]


def _mean(first: float | Unusable, second: float | Unusable) -> float | Unusable:
    """Both orders as one number; an order without an answer is no answer."""
    if isinstance(first, Unusable):
        return first
    return second if isinstance(second, Unusable) else fmean((first, second))
