"""Judged pairs: of several replies, the one a judge prefers most to the others against the one it prefers least.

A reply's measure is the mean strength of the judge's preference for it over each other reply, which is 2 P̂(y) − 1 of
SPPO (Wu et al. 2024, arXiv 2405.00675: P̂(y) is the mean chance to win against the other samples). Each duel is judged
in both orders, and a pair is kept only where they agree on it.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.judging.base import Duel, Verdict
from turnabout.judging.pairwise import compare
from turnabout.preferences.base import Material, Model, Rule, as_pairs, fault, fitted
from turnabout.preferences.sampled import draws, per_split, sampled_replies
from turnabout.preferences.verdicts import asked_so, doubt, max_questions


class Judge(Rule):
    """One pair per sampled prompt: `prompts` from training users, a quarter as many from validation users."""

    rule: Literal["judge"] = "judge"
    needs: ClassVar[frozenset[Model]] = frozenset({"policy", "judge"})
    prompts: int = Field(default=1000, gt=0)
    k: int = Field(default=4, ge=2)
    """Replies ranked per prompt; each meets each other one."""
    logged: bool = False
    """Whether the reply people were given is one of them; the policy then draws one fewer."""
    judge: Literal["plain", "self_reference"] = "plain"
    """What the judge is told of two replies (`turnabout.judging`)."""
    by: Literal["scores", "answers"] = "scores"
    """How its verdict is read: from the probabilities of both verdicts, or from an answer it writes."""
    temperature: float = Field(default=0.7, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)

    def max_replies(self) -> int:
        """Those drawn per prompt of both splits."""
        return self.most_pairs() * self._n_drawn

    def max_judgements(self) -> int:
        """All duels of all prompts."""
        return max_questions(self.most_pairs(), self.k * (self.k - 1) // 2, self.judge, self.by)

    def most_pairs(self) -> int:
        """One per prompt of both splits."""
        return sum(per_split(self.prompts).values())

    def pairs(self, material: Material) -> pl.DataFrame:
        rows = sampled_replies(material, self.prompts)
        if rows.is_empty():
            return schemas.PAIRS.to_frame()
        prompts = fitted(rows["prompt"], material.chat, material.max_prompt_tokens)
        drawn = draws(material, prompts, self._n_drawn, self.temperature, self.top_p)
        replies = [
            [*([row["reply"]] if self.logged else []), *fresh]
            for row, fresh in zip(rows.to_dicts(), drawn, strict=True)
        ]
        found = self._extremes(material, prompts, replies)
        rest = rows.drop("prompt", "reply").to_dicts()
        return as_pairs(
            self.rule,
            [{**row, "prompt": p, **extremes} for row, p, extremes in zip(rest, prompts, found, strict=True)],
        )

    @property
    def _n_drawn(self) -> int:
        return self.k - 1 if self.logged else self.k

    def _extremes(
        self, material: Material, prompts: list[list[Message]], replies: list[list[str]]
    ) -> list[dict[str, Any]]:
        """Best and worst reply of each prompt, what the judge makes of both, and why the pair is dropped if it is."""
        meetings = [list(combinations(range(len(each)), 2)) for each in replies]
        duels = [
            Duel(prompt, each[a], each[b])
            for prompt, each, meeting in zip(prompts, replies, meetings, strict=True)
            for a, b in meeting
        ]
        verdicts = iter(compare(material.judge, duels, asked_so(material, self.judge, self.by)))
        return [
            extremes(each, {duel: next(verdicts) for duel in meeting})
            for each, meeting in zip(replies, meetings, strict=True)
        ]


def extremes(replies: Sequence[str], verdicts: dict[tuple[int, int], Verdict]) -> dict[str, Any]:
    """The replies with the highest and the lowest mean strength, of equal ones the first, as columns of `PAIRS`."""
    wins = [0.0] * len(replies)
    for (a, b), verdict in verdicts.items():
        wins[a] += verdict.strength / (len(replies) - 1)
        wins[b] -= verdict.strength / (len(replies) - 1)
    best = max(range(len(replies)), key=wins.__getitem__)
    worst = min((i for i in range(len(replies)) if i != best), key=wins.__getitem__)
    doubted = doubt(verdicts[best, worst]) if best < worst else doubt(verdicts[worst, best], chosen="b")
    return {
        "chosen": replies[best],
        "rejected": replies[worst],
        "r_chosen": wins[best],
        "r_rejected": wins[worst],
        "margin": wins[best] - wins[worst],
        "reason": fault(replies[best], replies[worst]) or doubted,
    }
