"""Follow-up pairs: of k replies of the policy, the one satisfied follow-ups fit best against the one they fit worst.

Follow-up Likelihood as Reward (Zhang et al., AAAI 2025): no label is needed, only a model of what users say next — here
the user model trained on the same logs. Each follow-up is calibrated against the other replies to the same prompt.
"""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.follow_ups import calibrated, load_phrases, phrase_logps, rewards
from turnabout.follow_ups.phrases import DEFAULT, set_names
from turnabout.generation.local.generator import LocalGenerator
from turnabout.intents.wording import FALLBACK
from turnabout.preferences.base import Material, Model, Rule, as_pairs, fault, fitted
from turnabout.preferences.sampled import draws, per_split, sampled_replies


class FollowUp(Rule):
    """One pair per sampled prompt: `prompts` from training users, a quarter as many from validation users."""

    rule: Literal["follow_up"] = "follow_up"
    reads: ClassVar[str] = "models/user"
    needs: ClassVar[frozenset[Model]] = frozenset({"policy"})
    prompts: int = Field(default=1000, gt=0)
    k: int = Field(default=8, ge=2)
    """Replies drawn per prompt."""
    temperature: float = Field(default=0.7, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    phrases: str = DEFAULT
    """A set of follow-ups in `follow_ups/sets`; `turnabout phrases` makes one of the log's own feedback."""
    phrases_per_dimension: int = Field(default=10, gt=0, le=10)
    """Positive and negative follow-ups scored per dimension; a set may hold fewer."""
    min_margin: float = Field(default=0.0, ge=0)
    """Pairs whose rewards differ less are dropped; in standard deviations of a follow-up among replies to a prompt."""

    @field_validator("phrases")
    @classmethod
    def _is_there(cls, name: str) -> str:
        if name not in set_names():
            raise ValueError(f"'{name}' is not one of {set_names()}; `turnabout phrases {name}` would make it")
        return name

    def max_replies(self) -> int:
        """k per prompt of both splits."""
        return sum(per_split(self.prompts).values()) * self.k

    def pairs(self, material: Material) -> pl.DataFrame:
        rows = sampled_replies(material, self.prompts).drop("reply")
        if rows.is_empty():
            return schemas.PAIRS.to_frame()
        prompts = fitted(rows["prompt"], material.chat, material.max_prompt_tokens)
        drawn = draws(material, prompts, self.k, self.temperature, self.top_p)
        scores = self._scores(material, prompts, drawn)
        return as_pairs(
            self.rule,
            [
                {**row, "prompt": prompt, **self._extremes(replies, levels)}
                for row, prompt, replies, levels in zip(
                    rows.drop("prompt").to_dicts(), prompts, drawn, scores, strict=True
                )
            ],
        )

    def _scores(self, material: Material, prompts: list[list[Message]], drawn: list[list[str]]) -> list[list[float]]:
        """The calibrated follow-up reward of every drawn reply under the user model, shaped like `drawn`."""
        contexts: list[list[Message]] = [
            [*prompt, {"role": "assistant", "content": reply}]
            for prompt, replies in zip(prompts, drawn, strict=True)
            for reply in replies
        ]
        phrases = load_phrases(self.phrases_per_dimension, self.phrases)
        user = LocalGenerator(material.reads, "user", material.batch_size)
        # A user model has never seen a conversation without an intent; most prompts here have none of their own.
        logps = phrase_logps(user, contexts, phrases, [FALLBACK] * len(contexts))
        flat = rewards(calibrated(logps, [i // self.k for i in range(len(contexts))]), phrases)
        return [flat[i : i + self.k] for i in range(0, len(flat), self.k)]

    def _extremes(self, replies: list[str], levels: list[float]) -> dict[str, str | float | None]:
        """The best and the worst reply, their rewards and margin, and why the pair is dropped if it is."""
        best = max(range(len(replies)), key=levels.__getitem__)
        worst = min(range(len(replies)), key=levels.__getitem__)
        margin = levels[best] - levels[worst]
        return {
            "chosen": replies[best],
            "rejected": replies[worst],
            "r_chosen": levels[best],
            "r_rejected": levels[worst],
            "margin": margin,
            "reason": fault(replies[best], replies[worst]) or ("small margin" if margin < self.min_margin else None),
        }
