"""Follow-up pairs: of k replies of the policy, the one satisfied follow-ups fit best against the one they fit worst.

Follow-up Likelihood as Reward (Zhang et al., AAAI 2025): no label is needed, only a model of what users say next — here
the user model trained on the same logs.
"""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout import schemas
from turnabout.conversations import exchanges, hash_rank, histories, sample_conversations
from turnabout.follow_ups import follow_up_likelihood, load_phrases
from turnabout.generation import Message, Sampling
from turnabout.intents import FALLBACK
from turnabout.preferences.base import Material, Rule, as_pairs, fault, fitted


class FollowUp(Rule):
    """One pair per sampled prompt: `prompts` from training users, a quarter as many from validation users."""

    rule: Literal["follow_up"] = "follow_up"
    reads: ClassVar[str] = "models/user"
    prompts: int = Field(default=1000, gt=0)
    k: int = Field(default=8, ge=2)
    """Replies drawn per prompt."""
    temperature: float = Field(default=0.7, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    phrases_per_dimension: int = Field(default=10, gt=0, le=10)
    """Positive and negative follow-ups scored per dimension."""
    min_margin: float = Field(default=0.0, ge=0)
    """Pairs whose likelihoods differ less, in nats per token, are dropped."""

    def max_replies(self) -> int:
        """k per prompt of both splits."""
        return sum(self._per_split().values()) * self.k

    def pairs(self, material: Material) -> pl.DataFrame:
        rows = self._prompts(material)
        if rows.is_empty():
            return schemas.PAIRS.to_frame()
        prompts = fitted(rows["prompt"], material.chat, material.max_prompt_tokens)
        drawn = self._draws(material, prompts)
        scores = self._scores(material, prompts, drawn)
        return as_pairs(
            self.rule,
            [
                {**row, "prompt": prompt, **self._extremes(replies, likelihoods)}
                for row, prompt, replies, likelihoods in zip(
                    rows.drop("prompt").to_dicts(), prompts, drawn, scores, strict=True
                )
            ],
        )

    def _per_split(self) -> dict[str, int]:
        """Most prompts of each split."""
        return {"train": self.prompts, "validation": max(1, self.prompts // 4)}

    def _prompts(self, material: Material) -> pl.DataFrame:
        """One reply position per sampled conversation, chosen by hash order, with the history before it.

        Sampled by another hash than the conversations of the user model, so that it does not judge what it learnt.
        """
        sampled = sample_conversations(material.splits, self._per_split(), material.seed + 1)
        replies = exchanges(material.messages).drop_nulls("previous_user").drop("user_key")
        at = replies.join(sampled, on="conversation_id", maintain_order="left")
        one = at.sort(hash_rank(material.seed, "conversation_id", "reply_index")).unique(
            "conversation_id", keep="first", maintain_order=True
        )
        wanted = one.select("conversation_id", "reply_index", "user_key", "split", before="reply_index")
        return histories(material.messages, wanted).drop("before").sort("conversation_id")

    def _draws(self, material: Material, prompts: list[list[Message]]) -> list[list[str]]:
        """k replies per prompt."""
        sampling = Sampling(material.max_new_tokens, self.temperature, self.top_p, material.seed)
        answers = material.policy.generate([prompt for prompt in prompts for _ in range(self.k)], sampling)
        return [[answer.text for answer in answers[i : i + self.k]] for i in range(0, len(answers), self.k)]

    def _scores(self, material: Material, prompts: list[list[Message]], drawn: list[list[str]]) -> list[list[float]]:
        """The follow-up likelihood of every drawn reply under the user model, shaped like `drawn`."""
        contexts: list[list[Message]] = [
            [*prompt, {"role": "assistant", "content": reply}]
            for prompt, replies in zip(prompts, drawn, strict=True)
            for reply in replies
        ]
        phrases = load_phrases(self.phrases_per_dimension)
        # A user model has never seen a conversation without an intent; most prompts here have none of their own.
        intents = [FALLBACK] * len(contexts)
        flat = follow_up_likelihood(material.reads, contexts, phrases, material.batch_size, intents)
        return [flat[i : i + self.k] for i in range(0, len(flat), self.k)]

    def _extremes(self, replies: list[str], likelihoods: list[float]) -> dict[str, str | float | None]:
        """The best and the worst reply, their margin in nats per token, and why the pair is dropped if it is."""
        best = max(range(len(replies)), key=likelihoods.__getitem__)
        worst = min(range(len(replies)), key=likelihoods.__getitem__)
        margin = likelihoods[best] - likelihoods[worst]
        reason = fault(replies[best], replies[worst]) or ("small margin" if margin < self.min_margin else None)
        return {"chosen": replies[best], "rejected": replies[worst], "margin": margin, "reason": reason}
