"""Follow-up pairs: best against worst of k replies by follow-up likelihood.

Follow-up Likelihood as Reward (Zhang et al., AAAI 2025): no label is needed, only a model of what users say next — here
the user model trained on the same logs. Each follow-up is calibrated against the other replies to the same prompt.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.follow_ups import average_rewards, calibrate_logps, compute_phrase_logps, load_phrases
from turnabout.follow_ups.phrases import DEFAULT_SET, list_set_names
from turnabout.generation.local.generator import LocalGenerator
from turnabout.intents.wording import FALLBACK
from turnabout.preferences.base import ModelRole, Rule, RuleContext, find_drop_reason, fit_prompts, to_pairs_frame
from turnabout.preferences.sampled import draw_replies, max_prompts_by_split, sample_logged_replies


class FollowUp(Rule):
    """One pair per sampled prompt.

    `prompts` come from training users, a quarter as many from validation users.
    """

    rule: Literal["follow_up"] = "follow_up"
    reads: ClassVar[str] = "models/user"
    needs: ClassVar[frozenset[ModelRole]] = frozenset({"policy"})
    prompts: int = Field(default=1000, gt=0)
    k: int = Field(default=8, ge=2)
    """Number of replies drawn per prompt."""
    temperature: float = Field(default=0.7, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    phrases: str = DEFAULT_SET
    """A set that ships, or one in the project's folder `follow_ups`, such as `turnabout phrases` makes from a log."""
    phrases_per_dimension: int = Field(default=10, gt=0, le=10)
    """Number of positive and negative follow-ups scored per dimension; a set may have fewer."""
    min_margin: float = Field(default=0.0, ge=0)
    """Pairs whose rewards differ less are dropped; in standard deviations of a follow-up among replies to a prompt."""

    @field_validator("phrases")
    @classmethod
    def _check_set_exists(cls, name: str) -> str:
        names = list_set_names()
        if name not in names:
            raise ValueError(f"'{name}' is not one of {names}; `turnabout phrases {name}` would make it")
        return name

    @model_validator(mode="after")
    def _check_set_is_large_enough(self) -> "FollowUp":
        try:
            load_phrases(self.phrases_per_dimension, self.phrases)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def max_replies(self) -> int:
        """Return k per prompt of both splits."""
        return sum(max_prompts_by_split(self.prompts).values()) * self.k

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        rows = sample_logged_replies(context, self.prompts).drop("reply")
        if rows.is_empty():
            return schemas.PAIRS.to_frame()
        prompts = fit_prompts(rows["prompt"], context.chat, context.max_prompt_tokens)
        drawn = draw_replies(context, prompts, self.k, temperature=self.temperature, top_p=self.top_p)
        usable = [replies.complete if len(replies.complete) > 1 else [] for replies in drawn]
        rewards = self._score_replies(context, prompts, usable)
        pairs = []
        for row, prompt, replies, of_prompt in zip(
            rows.drop("prompt").to_dicts(), prompts, drawn, rewards, strict=True
        ):
            columns: Mapping[str, Any] = (
                self._select_extremes(replies.complete, of_prompt) if of_prompt else replies.build_cut_off_pair()
            )
            pairs.append({**row, "prompt": prompt, **columns})
        return to_pairs_frame(self.rule, pairs)

    def _score_replies(
        self, context: RuleContext, prompts: list[list[Message]], drawn: list[list[str]]
    ) -> list[list[float]]:
        """Return the calibrated reward of every drawn reply under the user model.

        The result is shaped like `drawn`.
        """
        conversations: list[list[Message]] = []
        prompt_indexes: list[int] = []
        for index, (prompt, replies) in enumerate(zip(prompts, drawn, strict=True)):
            conversations += [[*prompt, {"role": "assistant", "content": reply}] for reply in replies]
            prompt_indexes += [index] * len(replies)
        phrases = load_phrases(self.phrases_per_dimension, self.phrases)
        user = LocalGenerator(context.extra_input, "user", context.batch_size)
        # A user model has never seen a conversation without an intent; most prompts here have none of their own.
        logps = compute_phrase_logps(user, conversations, phrases, [FALLBACK] * len(conversations))
        rewards = iter(average_rewards(calibrate_logps(logps, prompt_indexes), phrases))
        return [[next(rewards) for _ in replies] for replies in drawn]

    def _select_extremes(self, replies: list[str], rewards: list[float]) -> dict[str, str | float | None]:
        """Return the best and the worst reply as columns of `schemas.PAIRS`."""
        best = max(range(len(replies)), key=rewards.__getitem__)
        worst = min(range(len(replies)), key=rewards.__getitem__)
        margin = rewards[best] - rewards[worst]
        small = "small margin" if margin < self.min_margin else None
        return {
            "chosen": replies[best],
            "rejected": replies[worst],
            "r_chosen": rewards[best],
            "r_rejected": rewards[worst],
            "margin": margin,
            "reason": find_drop_reason(replies[best], replies[worst]) or small,
        }
