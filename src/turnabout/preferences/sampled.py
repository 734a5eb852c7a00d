"""Prompts of the logs taken by sample, and fresh replies to them: the start of every rule that needs no feedback."""

import polars as pl

from turnabout.core.conversations import exchanges, hash_rank, histories, sample_conversations
from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.preferences.base import Material


def per_split(prompts: int) -> dict[str, int]:
    """Most prompts of each split: `prompts` from training users, a quarter as many from validation users."""
    return {"train": prompts, "validation": max(1, prompts // 4)}


def sampled_replies(material: Material, prompts: int) -> pl.DataFrame:
    """One logged reply per sampled conversation, chosen by hash order, with the history before it as `prompt`.

    Columns: conversation_id, reply_index, user_key, split, reply, prompt; sorted. Sampled by another hash than the
    conversations of the user model, so that it does not judge what it learnt.
    """
    sampled = sample_conversations(material.splits, per_split(prompts), material.seed + 1)
    replies = exchanges(material.messages).drop_nulls("previous_user").drop("user_key")
    at = replies.join(sampled, on="conversation_id", maintain_order="left")
    one = at.sort(hash_rank(material.seed, "conversation_id", "reply_index")).unique(
        "conversation_id", keep="first", maintain_order=True
    )
    wanted = one.select("conversation_id", "reply_index", "user_key", "split", "reply", before="reply_index")
    return histories(material.messages, wanted).drop("before").sort("conversation_id")


def draws(
    material: Material, prompts: list[list[Message]], k: int, temperature: float, top_p: float
) -> list[list[str]]:
    """`k` replies of the policy to each prompt."""
    sampling = Sampling(material.max_new_tokens, temperature, top_p, material.seed)
    answers = material.policy.generate([prompt for prompt in prompts for _ in range(k)], sampling)
    return [[answer.text for answer in answers[i : i + k]] for i in range(0, len(answers), k)]
