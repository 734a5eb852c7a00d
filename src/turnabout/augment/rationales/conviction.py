"""How far an argument convinces a judge.

An argument that can be found for either reply convinces of both; a real reason convinces of one reply alone.
"""

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import NamedTuple

from turnabout.augment.presented_pairs import Letter, Order, PresentedPair
from turnabout.generation import Completion, Generator
from turnabout.judging.choice import ChoiceFormat, ChoiceOptions, choose, in_both_orders, log_odds, probability_lead
from turnabout.judging.pairwise import BetterReply
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import UnusableAnswer, parse_json

TASK = """\
Two replies, A and B, could follow the last message of a conversation. Someone prefers reply {letter}, and the argument
says why.
{notice}
{record}
{argument}
"""
LETTER = "Which reply is better? Answer with one letter, A or B."
OBJECT = """\
Which reply is better? Answer with one JSON object and nothing else. It has two fields: "reason", in one short sentence,
and then "better", which is "A", "B" or "tie". Example of the form: {"reason": "The reason.", "better": "tie"}"""


class Argument(NamedTuple):
    """A text that speaks for one reply of a pair."""

    pair: PresentedPair
    text: str
    for_better: bool

    def name_reply(self, order: Order) -> Letter:
        """Return the letter of the reply it speaks for, in that order of the pair."""
        return "A" if (order == "cr") == self.for_better else "B"


def measure_convictions(
    judge: Generator, arguments: Sequence[Argument], max_tokens: int, options: ChoiceOptions
) -> list[float | UnusableAnswer]:
    """Return how far each argument convinces the judge of its reply.

    It is the mean over both orders of the replies. By `scores`, it is the log-odds of the reply's letter in nats; by
    `answers`, 1 for its reply and -1 for the other one. The reply called A comes first in either order, so that neither
    a position nor a letter gains anything.
    """
    better_first: list[tuple[Argument, Order]] = [(argument, "cr") for argument in arguments]
    worse_first: list[tuple[Argument, Order]] = [(argument, "rc") for argument in arguments]
    ask = partial(_ask_for_convictions, judge, max_tokens, options)
    return [_average(first, second) for first, second in in_both_orders(better_first, worse_first, ask)]


def _ask_for_convictions(
    judge: Generator, max_tokens: int, options: ChoiceOptions, presented: Sequence[tuple[Argument, Order]]
) -> list[float | UnusableAnswer]:
    """Return how far each argument convinces the judge in its order of the pair."""
    measure = log_odds if options.by == "scores" else probability_lead
    prompts = [_build_prompt(argument, order, max_tokens) for argument, order in presented]
    convictions: list[float | UnusableAnswer] = []
    for (argument, order), choice in zip(presented, choose(judge, prompts, BETTER_REPLY, options), strict=True):
        if isinstance(choice, UnusableAnswer):
            convictions.append(choice)
        else:
            for_a = measure(choice, "A", "B")
            convictions.append(for_a if argument.name_reply(order) == "A" else -for_a)
    return convictions


def _build_prompt(argument: Argument, order: Order, max_tokens: int) -> str:
    return TASK.format(
        letter=argument.name_reply(order),
        notice=NOTICE,
        record=argument.pair._replace(order=order).build_record(max_tokens),
        argument=fence("argument", argument.text),
    )


def _read_better_reply(answer: Completion) -> str:
    """Return the verdict of a written answer. Raises `UnusableAnswer`."""
    return parse_json(answer, BetterReply).better


BETTER_REPLY = ChoiceFormat(
    options=("A", "B"),
    score_request=LETTER,
    answer_request=OBJECT,
    answer_shape=BetterReply,
    read_answer=_read_better_reply,
)


def _average(first: float | UnusableAnswer, second: float | UnusableAnswer) -> float | UnusableAnswer:
    """Return the mean of both orders, or the first unusable answer."""
    if isinstance(first, UnusableAnswer):
        return first
    return second if isinstance(second, UnusableAnswer) else fmean((first, second))
