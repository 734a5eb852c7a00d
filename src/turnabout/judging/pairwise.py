"""The pairwise judge over any generator: both orders are asked, and what hangs on the order counts for nothing.

The strength of a preference is P(A) − P(B) of the two verdicts, averaged over both orders (self-reference AI feedback,
arXiv 2406.11190, reads it from the verdict's tokens). A judge that always prefers the first reply ends at zero.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator
from turnabout.judging import JUDGES
from turnabout.judging.base import Duel, Judging, Verdict
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

__all__ = ["Duel", "Judging", "Verdict", "compare"]

LETTER = "Which reply is better? Answer with one letter, A or B."
#: Reasons of other verdicts, one each way, that show the form; a small model gives them back.
EXAMPLES = {"A": "A says what the user asked for, B does not.", "B": "A has a mistake where B is right."}

OBJECT = f"""\
Which reply is better? Answer with one JSON object and nothing else: the reason in one or two sentences, then the better
reply, "A", "B" or "tie". Answers look like these, which are about other replies:
{{"reason": "{EXAMPLES["A"]}", "better": "A"}}
{{"reason": "{EXAMPLES["B"]}", "better": "B"}}"""


class Answer(msgspec.Struct):
    """A judge's answer as it must come. The reason comes first, so that the verdict follows from it."""

    reason: str
    better: Literal["A", "B", "tie"]


def compare(judge: Generator, duels: Sequence[Duel], how: Judging) -> list[Verdict]:
    """One verdict per duel, in order."""
    if not duels:
        return []
    both = [*duels, *(duel.swapped() for duel in duels)]
    told = JUDGES[how.judge](judge, both, how)
    found = _by_scores(judge, told) if how.by == "scores" else _by_answers(judge, told, how)
    return [_verdict(first, second) for first, second in zip(found[: len(duels)], found[len(duels) :], strict=True)]


def _by_scores(judge: Generator, told: Sequence[str]) -> list[float | Unusable]:
    """P(A) − P(B) of each question, the two verdicts alone: tanh of half the difference of their log-probabilities."""
    prompts: list[list[Message]] = [[{"role": "user", "content": f"{text}\n{LETTER}"}] for text in told]
    scored = judge.score(prompts, [["A", "B"]] * len(prompts))
    return [math.tanh((a.logp - b.logp) / 2) for a, b in scored]


def _by_answers(judge: Generator, told: Sequence[str], how: Judging) -> list[float | Unusable]:
    """1 where the judge writes that A is better, -1 for B, 0 for a tie."""
    questions = [Question(f"{text}\n{OBJECT}", _read) for text in told]
    return ask(judge, questions, Asking('{"reason": "', how.max_new_tokens, how.retries, how.seed, Answer))


def _read(answer: Completion) -> float:
    verdict = shaped(answer, Answer)
    if verdict.reason.strip() in EXAMPLES.values():
        raise Unusable("copies the form", "its reason is that of an example; give your own for these two replies")
    return {"A": 1.0, "B": -1.0, "tie": 0.0}[verdict.better]


def _verdict(first: float | Unusable, second: float | Unusable) -> Verdict:
    """Both orders as one verdict; `second` was asked with the replies swapped, so its sign is turned."""
    if isinstance(first, Unusable):
        return _unreadable(first)
    if isinstance(second, Unusable):
        return _unreadable(second)
    strength, agreed = (first - second) / 2, -first * second
    if agreed > 0:
        return Verdict(strength, "a" if strength > 0 else "b", consistent=True)
    if first == second == 0:
        return Verdict(0.0, None, consistent=True, reason="tie")
    return Verdict(strength, None, consistent=False, reason="order decides" if agreed < 0 else "tie in one order")


def _unreadable(fault: Unusable) -> Verdict:
    return Verdict(0.0, None, consistent=False, reason=fault.reason, readable=False)
