"""Reward-augmented pairs: each pair of another arm twice, once for each side's own score as the goal.

RA-DPO (Zhang et al. 2024, arXiv 2410.08067): told to write for the score of the chosen side, the chosen side is better;
told to write for that of the rejected side, the rejected one is. The model learns what scores mean instead of
unlearning what is good about a rejected reply. To use it, ask it with `towards(prompt, BEST)`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
from pydantic import Field

from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.preferences.base import Material, Rule, as_pairs, with_system

SIDES = ("chosen", "rejected")

#: What the policy made of the other arm's pair, without a goal in its prompt; `p_win` stays, for it is of the scores.
MEASURED = ("strength_mean", "strength_std", "ches", "difficulty")

#: The score that the trained assistant is asked for; 1 is the lowest.
BEST = 10


class RewardAugmented(Rule):
    """Two pairs per kept pair of the arm it reads, which must score both sides (`r_chosen`, `r_rejected`).

    Scores are put on a scale of 1 to `BEST`, whose ends are the lowest and highest of the training pairs. As in the
    paper, a side's reward for a goal is minus the squared distance of its score to it.
    """

    rule: Literal["reward_augmented"] = "reward_augmented"
    arm: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Whose pairs are augmented."""

    @property
    def reads(self) -> str:
        """The other arm's pairs."""
        return f"data/pairs/{self.arm}.parquet"

    def pairs(self, material: Material) -> pl.DataFrame:
        """Raises `DataError` where the other arm does not score both sides."""
        kept = material.reads.filter("keep")
        unscored = kept.filter(pl.any_horizontal(pl.col("r_chosen", "r_rejected", "chosen", "rejected").is_null()))
        if unscored.height:
            raise DataError(
                f"{self.rule}: {unscored.height} of {kept.height} pairs of arm '{self.arm}' lack a score of a side "
                "(r_chosen, r_rejected); name an arm whose rule scores both, such as ratings, repair or joint"
            )
        scaled = kept.with_columns(_scaled(kept, name) for name in ("r_chosen", "r_rejected"))
        return as_pairs(self.rule, [row for pair in scaled.iter_rows(named=True) for row in self._both_ways(pair)])

    def _both_ways(self, pair: dict[str, Any]) -> list[dict[str, Any]]:
        """The pair for the score of its better side, and turned round for that of its worse side."""
        high, low = pair["r_chosen"], pair["r_rejected"]
        sides = {side: (pair[side], pair["prompt" if side == "chosen" else "rejected_prompt"]) for side in SIDES}
        reason = None if high > low else "same score" if high == low else "score against the pair"
        return [
            {
                **pair,
                "pair_id": f"{self.rule}:{pair['pair_id']}:{better}",
                "prompt": towards(sides[better][1] or pair["prompt"], goal),
                "chosen": sides[better][0],
                "rejected": sides[worse][0],
                "rejected_prompt": pair["rejected_prompt"] and towards(sides[worse][1], goal),
                "r_chosen": 0.0,
                "r_rejected": -float((high - low) ** 2),
                "margin": float((high - low) ** 2),
                "rationale": pair["rationale"] if better == "chosen" else None,
                **dict.fromkeys(MEASURED),
                "keep": reason is None,
                "reason": reason,
            }
            for goal, better, worse in ((high, *SIDES), (low, *reversed(SIDES)))
        ]


def towards(prompt: Sequence[Message], score: int) -> list[Message]:
    """The prompt with the score to aim at in its system message, in front of what that says already."""
    return with_system(list(prompt), f"Write a reply that would be scored {score} on a scale from 1 to {BEST}.")


def _scaled(kept: pl.DataFrame, name: str) -> pl.Expr:
    """A score as a whole number from 1 to `BEST`; what lies beyond the training pairs is at an end."""
    known = pl.concat(kept.filter(split="train").select("r_chosen", "r_rejected").get_columns()).to_list()
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = (high - low) or 1.0
    return ((pl.col(name) - low) * (BEST - 1) / span + 1).round().clip(1, BEST).cast(pl.Int32)
