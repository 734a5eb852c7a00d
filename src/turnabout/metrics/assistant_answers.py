"""What every assistant answers to the same held-out people, and what each scorer makes of it."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import hash_rank
from turnabout.core.messages import Message
from turnabout.follow_ups import Phrases, follow_up_likelihood
from turnabout.generation import Generator, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.reward_model import Head, score


def prompts(samples: pl.DataFrame, chat: ChatFormat, max_length: int, seed: int) -> pl.DataFrame:
    """One prompt per conversation of `schemas.USER_SAMPLES`: conversation_id, user_key, intent, prompt; sorted.

    It ends with a user message chosen by hash, and begins with the oldest message that fits `max_length` tokens.
    """
    chosen = (
        samples.explode("target_indexes")
        .sort(hash_rank(seed, "conversation_id", "target_indexes"))
        .unique("conversation_id", keep="first", maintain_order=True)
        .sort("conversation_id")
        .with_columns(prompt=pl.col("messages").list.head(pl.col("target_indexes") + 1))
    )
    fitted = [chat.fit(prompt, max_length) for prompt in chosen["prompt"].to_list()]
    return chosen.select("conversation_id", "user_key", "intent").with_columns(
        prompt=pl.Series(fitted, dtype=pl.List(schemas.MESSAGE))
    )


def answered(asked: pl.DataFrame, name: str, assistant: Generator, max_new_tokens: int) -> pl.DataFrame:
    """The prompts with `assistant` and its greedy `answer`: the same on every run."""
    written = assistant.generate(asked["prompt"].to_list(), Sampling(max_new_tokens))
    return asked.with_columns(
        assistant=pl.lit(name, pl.String), answer=pl.Series([turn.text for turn in written], dtype=pl.String)
    )


class Scorers(NamedTuple):
    """Who judges the answers: the user model, the model it was made from, and the reward head of every arm on it."""

    user: Checkpoint
    backbone: Checkpoint
    heads: Mapping[str, Head]
    phrases: Phrases


def judged(answers: pl.DataFrame, scorers: Scorers, batch_size: int) -> pl.DataFrame:
    """The answers with a column per scorer: two follow-up likelihoods, and `reward_<arm>` of each head ever trained.

    An answer that several assistants gave is judged once: in bfloat16 the same row differs a little between batches.
    """
    distinct = answers.unique(["conversation_id", "answer"], keep="first", maintain_order=True)
    history, replies = distinct["prompt"].to_list(), distinct["answer"].to_list()
    contexts: list[list[Message]] = [
        [*prompt, {"role": "assistant", "content": reply}] for prompt, reply in zip(history, replies, strict=True)
    ]
    scores = {
        f"follow_up_likelihood_{name}": follow_up_likelihood(
            LocalGenerator(checkpoint, "user", batch_size), contexts, scorers.phrases, distinct["intent"].to_list()
        )
        for name, checkpoint in (("user", scorers.user), ("backbone", scorers.backbone))
    }
    trained = {f"reward_{arm}": head for arm, head in scorers.heads.items() if head.weight.any()}
    scores |= score(scorers.backbone, trained, history, replies, batch_size)
    columns = [pl.Series(name, values, dtype=pl.Float64) for name, values in scores.items()]
    judgements = distinct.select("conversation_id", "answer", *columns)
    return answers.join(judgements, on=["conversation_id", "answer"], how="left", maintain_order="left")
