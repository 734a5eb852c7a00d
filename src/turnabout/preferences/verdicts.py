"""Shared code of rules with a judge: its options, cost and verdicts."""

from typing import Literal

from turnabout.judging.base import JudgeOptions, Verdict
from turnabout.preferences.base import RuleContext

JudgeName = Literal["plain", "checklist", "self_reference"]

#: A verdict is read from the probabilities of both options, or from an answer that the judge writes.
VerdictSource = Literal["scores", "answers"]


def build_judge_options(context: RuleContext, judge: JudgeName, by: VerdictSource) -> JudgeOptions:
    """Return options that show the judge as much of a prompt as the policy sees.

    It also sees every reply in full.
    """
    max_prompt_tokens = max(2 * context.max_prompt_tokens, 4 * context.max_new_tokens)
    return JudgeOptions(judge=judge, by=by, max_prompt_tokens=max_prompt_tokens, seed=context.seed)


def max_judge_calls(n_prompts: int, n_comparisons: int, judge: JudgeName, by: VerdictSource) -> int:
    """Return the maximum number of judge calls, retries included.

    There are `n_comparisons` comparisons per prompt, each judged in both orders. The self-reference judge writes a text
    for each of these and a reply of its own.
    """
    n_orders = 2 * n_comparisons
    verdicts = n_orders * (1 + JudgeOptions().retries if by == "answers" else 1)
    return n_prompts * (verdicts + (n_orders + 1 if judge == "self_reference" else 0))


def find_judge_objection(verdict: Verdict, chosen: Literal["a", "b"] = "a") -> str | None:
    """Return why a verdict does not support the pair, or None."""
    if verdict.prefer == chosen:
        return None
    return f"judge: {verdict.reason}" if verdict.prefer is None else "judge prefers the rejected"
