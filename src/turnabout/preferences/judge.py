"""Judged pairs: the reply a judge prefers most against the least preferred.

A reply's measure is the mean strength of the judge's preference for it over each other reply, which is 2 P̂(y) − 1 of
SPPO (Wu et al. 2024, arXiv 2405.00675: P̂(y) is the mean probability to win against the other samples). Each comparison
is judged in both orders, and a pair is kept only if both orders agree on it.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.judging.base import Comparison, Verdict
from turnabout.judging.pairwise import compare
from turnabout.preferences.base import ModelRole, Rule, RuleContext, find_drop_reason, fit_prompts, to_pairs_frame
from turnabout.preferences.sampled import draw_replies, max_prompts_by_split, sample_logged_replies
from turnabout.preferences.verdicts import build_judge_options, find_judge_objection, max_judge_calls


class Judge(Rule):
    """One pair per sampled prompt.

    `prompts` come from training users, a quarter as many from validation users.
    """

    rule: Literal["judge"] = "judge"
    needs: ClassVar[frozenset[ModelRole]] = frozenset({"policy", "judge"})
    prompts: int = Field(default=1000, gt=0)
    k: int = Field(default=4, ge=2)
    """Number of replies ranked per prompt; each is compared with each other one."""
    logged: bool = False
    """Whether the logged reply is one of them; the policy then draws one fewer."""
    judge: Literal["plain", "self_reference"] = "plain"
    """What the judge is told about two replies (`turnabout.judging`)."""
    by: Literal["scores", "answers"] = "scores"
    """Whether its verdict is read from the probabilities of both verdicts, or from an answer that it writes."""
    temperature: float = Field(default=0.7, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)

    def max_replies(self) -> int:
        """Return those drawn per prompt, for the prompts of both splits."""
        return self.max_candidates() * self._n_drawn

    def max_judgements(self) -> int:
        """Return the calls for all comparisons of all prompts."""
        return max_judge_calls(self.max_candidates(), self.k * (self.k - 1) // 2, self.judge, self.by)

    def max_candidates(self) -> int:
        """Return one per prompt of both splits."""
        return sum(max_prompts_by_split(self.prompts).values())

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        rows = sample_logged_replies(context, self.prompts)
        if rows.is_empty():
            return schemas.PAIRS.to_frame()
        prompts = fit_prompts(rows["prompt"], context.chat, context.max_prompt_tokens)
        drawn = draw_replies(context, prompts, self._n_drawn, temperature=self.temperature, top_p=self.top_p)
        if self.logged:
            replies = [[logged, *fresh] for logged, fresh in zip(rows["reply"].to_list(), drawn, strict=True)]
        else:
            replies = drawn
        extremes = self._judge_replies(context, prompts, replies)
        sources = rows.drop("prompt", "reply").to_dicts()
        pairs = [
            {**source, "prompt": prompt, **columns}
            for source, prompt, columns in zip(sources, prompts, extremes, strict=True)
        ]
        return to_pairs_frame(self.rule, pairs)

    @property
    def _n_drawn(self) -> int:
        return self.k - 1 if self.logged else self.k

    def _judge_replies(
        self, context: RuleContext, prompts: list[list[Message]], replies: list[list[str]]
    ) -> list[dict[str, Any]]:
        """Return the columns of `select_extremes` for each prompt's `k` replies."""
        matchups = list(combinations(range(self.k), 2))
        comparisons: list[Comparison] = []
        for prompt, candidates in zip(prompts, replies, strict=True):
            comparisons += [Comparison(prompt, candidates[a], candidates[b]) for a, b in matchups]
        verdicts = compare(context.judge, comparisons, build_judge_options(context, self.judge, self.by))
        extremes = []
        for i, candidates in enumerate(replies):
            of_prompt = verdicts[i * len(matchups) : (i + 1) * len(matchups)]
            extremes.append(select_extremes(candidates, dict(zip(matchups, of_prompt, strict=True))))
        return extremes


def select_extremes(replies: Sequence[str], verdicts: Mapping[tuple[int, int], Verdict]) -> dict[str, Any]:
    """Return the replies with the highest and the lowest mean strength.

    `verdicts` are by the indexes of the two replies, the lower one first. Of equal replies the first is taken. The
    result has columns of `schemas.PAIRS`, with the drop reason.
    """
    strengths = [0.0] * len(replies)
    for (a, b), verdict in verdicts.items():
        strengths[a] += verdict.strength / (len(replies) - 1)
        strengths[b] -= verdict.strength / (len(replies) - 1)
    best = max(range(len(replies)), key=strengths.__getitem__)
    worst = min((i for i in range(len(replies)) if i != best), key=strengths.__getitem__)
    if best < worst:
        objection = find_judge_objection(verdicts[best, worst])
    else:
        objection = find_judge_objection(verdicts[worst, best], chosen="b")
    return {
        "chosen": replies[best],
        "rejected": replies[worst],
        "r_chosen": strengths[best],
        "r_rejected": strengths[worst],
        "margin": strengths[best] - strengths[worst],
        "reason": find_drop_reason(replies[best], replies[worst]) or objection,
    }
