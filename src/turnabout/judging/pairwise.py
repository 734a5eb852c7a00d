"""The pairwise judge over any generator, asked in both orders.

The strength of a preference is P(A) - P(B) of the two verdicts, averaged over both orders (self-reference AI feedback,
arXiv 2406.11190, reads it from the verdict's tokens). A judge that always prefers the first reply gets a strength of 0.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec

from turnabout.generation.base import Completion, Generator
from turnabout.judging import JUDGES
from turnabout.judging.base import Comparison, JudgeOptions, Verdict
from turnabout.judging.choice import ChoiceFormat, choose, in_both_orders, probability_lead
from turnabout.prompting.structured import UnusableAnswer, parse_json

__all__ = ["Comparison", "JudgeOptions", "Verdict", "compare"]

LETTER = "Which reply is better? Answer with one letter, A or B."
#: Example reasons for either verdict that show the form; a small model repeats them.
EXAMPLES = {"A": "A gives what the user asked for, and B does not.", "B": "A contains a mistake, and B does not."}

OBJECT = f"""\
Which reply is better? Answer with one JSON object and nothing else. It has two fields: "reason", in one or two
sentences, and then "better", which is "A", "B" or "tie". Examples of the form, about other replies:
{{"reason": "{EXAMPLES["A"]}", "better": "A"}}
{{"reason": "{EXAMPLES["B"]}", "better": "B"}}"""


class BetterReply(msgspec.Struct):
    """The shape of a written verdict.

    The reason comes first, so that the verdict follows from it.
    """

    reason: str
    better: Literal["A", "B", "tie"]


def compare(judge: Generator, comparisons: Sequence[Comparison], options: JudgeOptions) -> list[Verdict]:
    """Return one verdict per comparison, in order."""
    if not comparisons:
        return []
    swapped = [comparison.swap_replies() for comparison in comparisons]
    leads = in_both_orders(comparisons, swapped, partial(_ask_for_leads, judge, options))
    return [_combine_orders(first, second) for first, second in leads]


def _ask_for_leads(
    judge: Generator, options: JudgeOptions, comparisons: Sequence[Comparison]
) -> list[float | UnusableAnswer]:
    """Return P(A) - P(B) of each comparison, in order.

    A written answer gives 1 for A, -1 for B and 0 for a tie.
    """
    prompts = JUDGES[options.judge](judge, comparisons, options)
    choices = choose(judge, prompts, VERDICT_CHOICE, options.choice_options)
    return [choice if isinstance(choice, UnusableAnswer) else probability_lead(choice, "A", "B") for choice in choices]


def _read_better_reply(answer: Completion) -> str:
    """Return the verdict of a written answer. Raises `UnusableAnswer`."""
    verdict = parse_json(answer, BetterReply)
    if verdict.reason.strip() in EXAMPLES.values():
        raise UnusableAnswer(
            "copies the form", "its reason is that of an example; give your own reason for these two replies"
        )
    return verdict.better


VERDICT_CHOICE = ChoiceFormat(
    options=("A", "B"),
    score_request=f"\n{LETTER}",
    answer_request=f"\n{OBJECT}",
    answer_shape=BetterReply,
    read_answer=_read_better_reply,
)


def _combine_orders(first: float | UnusableAnswer, second: float | UnusableAnswer) -> Verdict:
    """Return the verdict from the leads in both orders.

    `second` was asked with the replies swapped, so its sign is turned.
    """
    if isinstance(first, UnusableAnswer):
        return _build_unreadable_verdict(first)
    if isinstance(second, UnusableAnswer):
        return _build_unreadable_verdict(second)
    strength, agreement = (first - second) / 2, -first * second
    if agreement > 0:
        return Verdict(strength=strength, prefer="a" if strength > 0 else "b", consistent=True)
    if first == second == 0:
        return Verdict(strength=0.0, prefer=None, consistent=True, reason="tie")
    reason = "order decides" if agreement < 0 else "tie in one order"
    return Verdict(strength=strength, prefer=None, consistent=False, reason=reason)


def _build_unreadable_verdict(answer: UnusableAnswer) -> Verdict:
    return Verdict(strength=0.0, prefer=None, consistent=False, reason=answer.reason, readable=False)
