"""Answers of every assistant to the same held-out prompts, and their scores."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import rank_by_hash
from turnabout.core.messages import Message
from turnabout.follow_ups import Phrases, compute_follow_up_rewards
from turnabout.generation import Generator, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.reward_model import RewardHead, score_completions


def select_prompts(samples: pl.DataFrame, chat: ChatFormat, max_length: int, seed: int) -> pl.DataFrame:
    """Select one prompt per conversation of `schemas.USER_SAMPLES`.

    Returns the columns conversation_id, user_key, intent and prompt, sorted. A prompt ends with a user message chosen
    by hash, and begins with the oldest message that fits `max_length` tokens.
    """
    chosen = (
        samples.explode("target_indexes")
        .sort(rank_by_hash(seed, "conversation_id", "target_indexes"))
        .unique("conversation_id", keep="first", maintain_order=True)
        .sort("conversation_id")
        .with_columns(prompt=pl.col("messages").list.head(pl.col("target_indexes") + 1))
    )
    fitted = [chat.keep_newest(prompt, max_length) for prompt in chosen["prompt"].to_list()]
    return chosen.select("conversation_id", "user_key", "intent").with_columns(
        prompt=pl.Series(fitted, dtype=pl.List(schemas.MESSAGE))
    )


def generate_answers(prompts: pl.DataFrame, name: str, assistant: Generator, max_new_tokens: int) -> pl.DataFrame:
    """Return the prompts with columns `assistant`, `answer` and `cut_off`.

    `assistant` is the name of the assistant. Decoding is greedy, so that every run returns the same answers.
    """
    completions = assistant.generate(prompts["prompt"].to_list(), Sampling(max_new_tokens))
    return prompts.with_columns(
        assistant=pl.lit(name, pl.String),
        answer=pl.Series([completion.text for completion in completions], dtype=pl.String),
        cut_off=pl.Series([completion.truncated for completion in completions], dtype=pl.Boolean),
    )


class AnswerScorers(NamedTuple):
    """Models that score answers.

    These are the user model, the backbone it was trained from, and the reward head of every arm, which runs on the
    backbone's features.
    """

    user: Checkpoint
    backbone: Checkpoint
    heads: Mapping[str, RewardHead]
    phrases: Phrases


def score_answers(answers: pl.DataFrame, scorers: AnswerScorers, batch_size: int) -> pl.DataFrame:
    """Return the answers with a column for each score.

    These are two follow-up likelihoods, and `reward_<arm>` of each trained head. An answer that several assistants gave
    is scored once, because in bfloat16 the same row differs slightly between batches.
    """
    distinct = answers.unique(["conversation_id", "answer"], keep="first", maintain_order=True)
    prompts, replies = distinct["prompt"].to_list(), distinct["answer"].to_list()
    contexts: list[list[Message]] = [
        [*prompt, {"role": "assistant", "content": reply}] for prompt, reply in zip(prompts, replies, strict=True)
    ]
    scores = {
        f"follow_up_likelihood_{name}": compute_follow_up_rewards(
            LocalGenerator(checkpoint, "user", batch_size), contexts, scorers.phrases, distinct["intent"].to_list()
        )
        for name, checkpoint in (("user", scorers.user), ("backbone", scorers.backbone))
    }
    trained_heads = {f"reward_{arm}": head for arm, head in scorers.heads.items() if head.weight.any()}
    scores |= score_completions(
        scorers.backbone, trained_heads, prompts=prompts, completions=replies, batch_size=batch_size
    )
    columns = [pl.Series(name, values, dtype=pl.Float64) for name, values in scores.items()]
    scored = distinct.select("conversation_id", "answer", *columns)
    return answers.join(scored, on=["conversation_id", "answer"], how="left", maintain_order="left")
