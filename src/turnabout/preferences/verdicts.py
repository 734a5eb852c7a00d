"""What rules with a judge share: how it is asked within the limits of `build_pairs`, and what its verdict means."""

from typing import Literal

from turnabout.judging.base import Judging, Verdict
from turnabout.preferences.base import Material

JudgeName = Literal["plain", "checklist", "self_reference"]
By = Literal["scores", "answers"]


def asked_so(material: Material, judge: JudgeName, by: By) -> Judging:
    """Settings under which the judge sees of a conversation what the policy saw, and every reply in full."""
    room = max(2 * material.max_prompt_tokens, 4 * material.max_new_tokens)
    return Judging(judge, by, max_prompt_tokens=room, seed=material.seed)


def max_questions(n_prompts: int, duels: int, judge: JudgeName, by: By) -> int:
    """Most questions put to a judge about `n_prompts` prompts of so many duels each, asked again ones included.

    A duel is judged in both orders. The self-reference judge writes a comparison for each and a reply of its own.
    """
    orders = 2 * duels
    verdicts = orders * (1 + Judging().retries if by == "answers" else 1)
    return n_prompts * (verdicts + (orders + 1 if judge == "self_reference" else 0))


def doubt(verdict: Verdict, chosen: Literal["a", "b"] = "a") -> str | None:
    """Why a judge's verdict does not carry the pair, or None where it prefers the `chosen` side of the duel."""
    if verdict.prefer == chosen:
        return None
    return f"judge: {verdict.reason}" if verdict.prefer is None else "judge prefers the rejected"
