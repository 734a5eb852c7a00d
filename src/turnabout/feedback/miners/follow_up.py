"""How likely praise is after a reply, and how likely complaint: a judgement without labels and without a follow-up."""

import math
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.core.messages import Message
from turnabout.feedback.base import ModelMiner
from turnabout.feedback.signals import signals


class FollowUp(ModelMiner):
    """Follow-up likelihood as reward (Zhang et al., AAAI 2025) of each reply, less that of saying nothing.

    The reward of an empty reply to the same user turn is subtracted, because some questions draw thanks whatever comes.
    What is left, in nats per token, is a signal where it is `least` or more either way. The evidence is the reply
    itself. A weak judge (models of some hundred million parameters sort good from bad replies little better than
    chance), so the confidence never passes `CEILING`; it is meant to break ties and to find replies worth labelling.
    """

    miner: Literal["follow_up"] = "follow_up"
    version: ClassVar[str] = "1"
    least: Annotated[float, Field(gt=0)] = 0.2
    """Smallest reward, in nats per token, that is a signal."""
    phrases_per_dimension: Annotated[int, Field(gt=0, le=10)] = 1
    """Positive and negative follow-ups per dimension of `follow_ups/sets/six_dimensions.yaml`."""
    max_chars: Annotated[int, Field(gt=0)] = 600
    """Characters read of the user turn (its end) and of the reply (its end)."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Category `likelihood`; the score is tanh of the reward."""
        judged = self.sampled(exchanges).drop_nulls("previous_user")
        rewards = pl.Series("reward", self._rewards(judged), dtype=pl.Float64)
        found = judged.with_columns(rewards).filter(pl.col("reward").abs() >= self.least)
        return signals(
            found.with_columns(
                evidence_index="reply_index",
                category=pl.lit("likelihood"),
                span=pl.lit(None, pl.String),
                score=pl.col("reward").tanh(),
                confidence=pl.col("reward").map_elements(confidence, pl.Float64),
            ),
            self.miner,
            self.version,
        )

    def _rewards(self, judged: pl.DataFrame) -> list[float]:
        """Reward of each reply less that of an empty one, in nats per token."""
        from turnabout.follow_ups.likelihood import follow_up_likelihood
        from turnabout.follow_ups.phrases import load_phrases
        from turnabout.generation.local.generator import LocalGenerator

        asked = judged["previous_user"].str.tail(self.max_chars).to_list()
        said = judged["reply"].str.tail(self.max_chars).to_list()
        contexts = [_context(user, reply) for user, reply in zip(asked, said, strict=True)]
        silent = {user: _context(user, "") for user in asked}
        user = LocalGenerator(self.model.checkpoint, "user", self.model.batch_size)
        phrases = load_phrases(self.phrases_per_dimension)
        rewards = follow_up_likelihood(user, [*contexts, *silent.values()], phrases)
        of_silence = dict(zip(silent, rewards[len(contexts) :], strict=True))
        return [reward - of_silence[user] for user, reward in zip(asked, rewards[: len(asked)], strict=True)]


#: Highest confidence of a likelihood alone: what a judge with an AUC of 0.62 (normal scores of equal variance) comes to
#: two standard deviations out, σ(2 · √2 · Φ⁻¹(0.62)).
CEILING = 0.7


def confidence(reward: float) -> float:
    """Between 0.5 for no reward and `CEILING`."""
    return 0.5 + (CEILING - 0.5) * math.tanh(abs(reward))


def _context(user: str, reply: str) -> list[Message]:
    return [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
