"""Miner `follow_up`: likelihood of praise and complaint after a reply.

It needs neither labels nor a follow-up.
"""

import math
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.core.messages import Message
from turnabout.feedback.base import ModelMiner
from turnabout.feedback.signals import build_signals

#: Highest confidence of a likelihood alone. A judge with an AUC of 0.62 (normal scores of equal variance) reaches it
#: two standard deviations out: σ(2 · √2 · Φ⁻¹(0.62)).
MAX_CONFIDENCE = 0.7


class FollowUp(ModelMiner):
    """Follow-up likelihood as reward (Zhang et al., AAAI 2025).

    The reward of an empty reply to the same user turn is subtracted, because some questions draw thanks whatever the
    reply. The difference, in nats per token, is a signal where it is at least `least` in either direction. The evidence
    is the reply itself. This is a weak judge (models of some hundred million parameters sort good from bad replies
    little better than chance), so the confidence is at most `MAX_CONFIDENCE`; use it to break ties and to find replies
    worth labelling.
    """

    miner: Literal["follow_up"] = "follow_up"
    version: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    least: Annotated[float, Field(gt=0)] = 0.2
    """Smallest reward, in nats per token, that is a signal."""
    phrases_per_dimension: Annotated[int, Field(gt=0, le=10)] = 1
    """Positive and negative follow-ups per dimension of `follow_ups/sets/six_dimensions.yaml`."""
    max_chars: Annotated[int, Field(gt=0)] = 600
    """Characters read of the user turn (its end) and of the reply (its end)."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return signals of category `likelihood`; the score is tanh of the reward."""
        replies = self.select_share(exchanges).drop_nulls("previous_user")
        rewards = pl.Series("reward", self._compute_rewards(replies), dtype=pl.Float64)
        findings = (
            replies.with_columns(rewards)
            .filter(pl.col("reward").abs() >= self.least)
            .with_columns(
                evidence_index="reply_index",
                category=pl.lit("likelihood"),
                span=pl.lit(None, pl.String),
                score=pl.col("reward").tanh(),
                confidence=pl.col("reward").map_elements(compute_confidence, pl.Float64),
            )
        )
        return build_signals(findings, self.miner, self.version)

    def _compute_rewards(self, replies: pl.DataFrame) -> list[float]:
        """Return the rewards relative to an empty reply, in nats per token."""
        from turnabout.follow_ups.likelihood import compute_follow_up_rewards
        from turnabout.follow_ups.phrases import load_phrases
        from turnabout.generation.local.generator import LocalGenerator

        user_turns = replies["previous_user"].str.tail(self.max_chars).to_list()
        texts = replies["reply"].str.tail(self.max_chars).to_list()
        contexts = [_build_context(user_turn, reply) for user_turn, reply in zip(user_turns, texts, strict=True)]
        empty_contexts = {user_turn: _build_context(user_turn, "") for user_turn in user_turns}
        user = LocalGenerator(self.model.checkpoint, "user", self.model.batch_size)
        phrases = load_phrases(self.phrases_per_dimension)
        rewards = compute_follow_up_rewards(user, [*contexts, *empty_contexts.values()], phrases)
        baselines = dict(zip(empty_contexts, rewards[len(contexts) :], strict=True))
        return [reward - baselines[turn] for turn, reward in zip(user_turns, rewards[: len(contexts)], strict=True)]


def compute_confidence(reward: float) -> float:
    """Return a confidence between 0.5 for no reward and `MAX_CONFIDENCE`."""
    return 0.5 + (MAX_CONFIDENCE - 0.5) * math.tanh(abs(reward))


def _build_context(user_turn: str, reply: str) -> list[Message]:
    return [{"role": "user", "content": user_turn}, {"role": "assistant", "content": reply}]
