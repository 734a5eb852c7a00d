"""The checklist judge: what this user asked for decides.

This is the checklist evaluation of WildFeedback (Shi et al. 2024).
"""

from collections.abc import Sequence

from turnabout.generation.base import Generator
from turnabout.judging import plain
from turnabout.judging.base import Comparison, JudgeOptions
from turnabout.prompting.fencing import fence

CHECKLIST = """\
This user has preferences of their own, which are part of the record:
{preferences}
Check them one by one. The reply that meets more of them is better, even if you would prefer the other reply for another
reason."""


def build_prompts(judge: Generator, comparisons: Sequence[Comparison], options: JudgeOptions) -> list[str]:
    """Return the record of each comparison with the user's preferences.

    A comparison without a checklist gets the prompt of the plain judge.
    """
    plain_prompts = plain.build_prompts(judge, comparisons, options)
    return [
        _add_checklist(comparison, options) if comparison.checklist else plain_prompt
        for comparison, plain_prompt in zip(comparisons, plain_prompts, strict=True)
    ]


def _add_checklist(comparison: Comparison, options: JudgeOptions) -> str:
    record = plain.build_comparison_record(comparison, options)
    return f"{record}\n{CHECKLIST.format(preferences=fence('preferences', comparison.checklist))}"
