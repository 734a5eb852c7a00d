"""Sampled prompts and fresh replies, for rules that need no feedback."""

from typing import NamedTuple

import polars as pl

from turnabout.core.conversations import (
    REPLY_KEY,
    add_histories,
    build_exchanges,
    rank_by_hash,
    sample_conversations,
)
from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.preferences.base import RuleContext
from turnabout.preferences.cut_off import CUT_OFF


def max_prompts_by_split(prompts: int) -> dict[str, int]:
    """Return the maximum number of prompts of each split.

    `prompts` come from training users, a quarter as many from validation users.
    """
    return {"train": prompts, "validation": max(1, prompts // 4)}


def sample_logged_replies(context: RuleContext, prompts: int) -> pl.DataFrame:
    """Sample one logged reply per conversation, with its history as `prompt`.

    Columns: conversation_id, reply_index, user_key, split, reply, prompt; sorted. Replies are ranked by a hash. The
    conversations are sampled by another hash than those of the user model, so that it does not judge what it learnt.
    """
    sampled = sample_conversations(context.splits, max_prompts_by_split(prompts), context.seed + 1)
    replies = build_exchanges(context.messages).drop_nulls("previous_user").drop("user_key")
    replies = replies.join(sampled, on="conversation_id", maintain_order="left")
    first = replies.sort(rank_by_hash(context.seed, *REPLY_KEY)).unique(
        "conversation_id", keep="first", maintain_order=True
    )
    wanted = first.select(*REPLY_KEY, "user_key", "split", "reply", before="reply_index")
    return add_histories(context.messages, wanted).drop("before").sort("conversation_id")


class DrawnReplies(NamedTuple):
    """Replies of the policy to one prompt."""

    complete: list[str]
    """Replies that ended by themselves."""
    cut_off: list[str]
    """Replies that reached `max_new_tokens`; they are never used."""

    def build_cut_off_pair(self) -> dict[str, str]:
        """Return columns of a dropped pair of two replies (`schemas.PAIRS`)."""
        first, second, *_ = [*self.complete, *self.cut_off]
        return {"chosen": first, "rejected": second, "reason": CUT_OFF}


def draw_replies(
    context: RuleContext, prompts: list[list[Message]], k: int, *, temperature: float, top_p: float
) -> list[DrawnReplies]:
    """Draw `k` replies of the policy to each prompt."""
    sampling = Sampling(max_new_tokens=context.max_new_tokens, temperature=temperature, top_p=top_p, seed=context.seed)
    repeated = [prompt for prompt in prompts for _ in range(k)]
    completions = context.policy.generate(repeated, sampling)
    drawn = []
    for start in range(0, len(completions), k):
        of_prompt = completions[start : start + k]
        drawn.append(
            DrawnReplies(
                [completion.text for completion in of_prompt if not completion.truncated],
                [completion.text for completion in of_prompt if completion.truncated],
            )
        )
    return drawn
