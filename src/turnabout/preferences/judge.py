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
from turnabout.preferences.cut_off import CUT_OFF
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
        candidates = [replies.complete for replies in drawn]
        if self.logged:
            candidates = [[logged, *fresh] for logged, fresh in zip(rows["reply"].to_list(), candidates, strict=True)]
        usable = [texts if len(texts) > 1 else [] for texts in candidates]
        extremes = self._judge_replies(context, prompts, usable)
        pairs = []
        for row, prompt, replies, columns in zip(rows.to_dicts(), prompts, drawn, extremes, strict=True):
            if columns is None:
                columns = {"chosen": replies.cut_off[0], "rejected": row["reply"], "reason": CUT_OFF}
            source = {name: value for name, value in row.items() if name not in ("prompt", "reply")}
            pairs.append({**source, "prompt": prompt, **columns})
        return to_pairs_frame(self.rule, pairs)

    @property
    def _n_drawn(self) -> int:
        return self.k - 1 if self.logged else self.k

    def _judge_replies(
        self, context: RuleContext, prompts: list[list[Message]], replies: list[list[str]]
    ) -> list[dict[str, Any] | None]:
        """Return the columns of `select_extremes` for each prompt's replies.

        A prompt without replies gets None.
        """
        comparisons: list[Comparison] = []
        for prompt, texts in zip(prompts, replies, strict=True):
            comparisons += [Comparison(prompt, a, b) for a, b in combinations(texts, 2)]
        verdicts = iter(compare(context.judge, comparisons, build_judge_options(context, self.judge, self.by)))
        extremes: list[dict[str, Any] | None] = []
        for texts in replies:
            of_prompt = {matchup: next(verdicts) for matchup in combinations(range(len(texts)), 2)}
            extremes.append(select_extremes(texts, of_prompt) if texts else None)
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
