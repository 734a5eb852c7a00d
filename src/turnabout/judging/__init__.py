"""Judges by name: each builds the prompts from which its verdicts follow."""

from turnabout.judging import checklist, plain, self_reference
from turnabout.judging.base import Comparison, JudgeOptions, PromptBuilder, Verdict

JUDGES: dict[str, PromptBuilder] = {
    "plain": plain.build_prompts,
    "checklist": checklist.build_prompts,
    "self_reference": self_reference.build_prompts,
}

__all__ = ["JUDGES", "Comparison", "JudgeOptions", "Verdict"]
