"""Reward-augmented pairs: another arm's pairs, with either score as goal.

RA-DPO (Zhang et al. 2024, arXiv 2410.08067): if the goal is the score of the chosen side, the chosen side is better; if
it is the score of the rejected side, the rejected side is. The model learns what scores mean instead of unlearning what
is good about a rejected reply. A trained assistant is asked with `add_goal(prompt, MAX_SCORE)`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
from pydantic import Field

from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.preferences.base import Rule, RuleContext, prepend_instruction, to_pairs_frame

Side = Literal["chosen", "rejected"]

#: Measures of the other arm's pair by the policy, which saw no goal in the prompt. `p_win` stays: it concerns scores.
MEASURES = ("strength_mean", "strength_std", "ches", "difficulty")

#: The score that the trained assistant is asked for; 1 is the lowest.
MAX_SCORE = 10


class RewardAugmented(Rule):
    """Two pairs per kept pair of another arm, which must score both sides.

    The scores (`r_chosen`, `r_rejected`) are put on a scale of 1 to `MAX_SCORE`, whose ends are the lowest and highest
    of the training pairs. As in the paper, a side's reward for a goal is minus the squared distance of its score to it.
    """

    rule: Literal["reward_augmented"] = "reward_augmented"
    arm: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """The arm whose pairs are augmented."""

    @property
    def reads(self) -> str:
        """The other arm's pairs."""
        return f"data/pairs/{self.arm}.parquet"

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        """Return both goals' pairs.

        Raises `DataError` if the other arm does not score both sides.
        """
        kept = context.extra_input.filter("keep")
        unscored = kept.filter(pl.any_horizontal(pl.col("r_chosen", "r_rejected", "chosen", "rejected").is_null()))
        if unscored.height:
            raise DataError(
                f"{self.rule}: {unscored.height} of {kept.height} pairs of arm '{self.arm}' lack a score of a side "
                "(r_chosen, r_rejected); name an arm whose rule scores both, such as ratings, repair or joint"
            )
        scaled = kept.with_columns(_scale_scores(kept, name) for name in ("r_chosen", "r_rejected"))
        augmented: list[dict[str, Any]] = []
        for pair in scaled.iter_rows(named=True):
            augmented += [
                self._build_pair(pair, goal=pair["r_chosen"], better="chosen", worse="rejected"),
                self._build_pair(pair, goal=pair["r_rejected"], better="rejected", worse="chosen"),
            ]
        return to_pairs_frame(self.rule, augmented)

    def _build_pair(self, pair: dict[str, Any], *, goal: int, better: Side, worse: Side) -> dict[str, Any]:
        """Return the pair for one goal; the side with that score is chosen."""
        high, low = pair["r_chosen"], pair["r_rejected"]
        prompts = {"chosen": pair["prompt"], "rejected": pair["rejected_prompt"]}
        reason = None if high > low else "same score" if high == low else "score against the pair"
        return {
            **pair,
            "pair_id": f"{self.rule}:{pair['pair_id']}:{better}",
            "prompt": add_goal(prompts[better] or pair["prompt"], goal),
            "chosen": pair[better],
            "rejected": pair[worse],
            "rejected_prompt": pair["rejected_prompt"] and add_goal(prompts[worse], goal),
            "r_chosen": 0.0,
            "r_rejected": -float((high - low) ** 2),
            "margin": float((high - low) ** 2),
            "rationale": pair["rationale"] if better == "chosen" else None,
            **dict.fromkeys(MEASURES),
            "keep": reason is None,
            "reason": reason,
        }


def add_goal(prompt: Sequence[Message], score: int) -> list[Message]:
    """Return the prompt with the score to aim at first in its system message."""
    instruction = f"Write a reply that would be scored {score} on a scale from 1 to {MAX_SCORE}."
    return prepend_instruction(list(prompt), instruction)


def _scale_scores(kept: pl.DataFrame, name: str) -> pl.Expr:
    """Return a score as a whole number from 1 to `MAX_SCORE`.

    A score beyond those of the training pairs is set to an end of the scale.
    """
    training = kept.filter(split="train").select("r_chosen", "r_rejected")
    scores = pl.concat(training.get_columns()).to_list()
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    span = (high - low) or 1.0
    return ((pl.col(name) - low) * (MAX_SCORE - 1) / span + 1).round().clip(1, MAX_SCORE).cast(pl.Int32)
