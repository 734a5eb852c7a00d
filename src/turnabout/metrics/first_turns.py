"""The first messages of held-out people, and those a model writes when told what the same people wanted."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.sample_user_turns import turns
from turnabout.models.chat_format import ChatFormat
from turnabout.simulation.users import Situation


class FirstTurns(NamedTuple):
    """First messages by writer, as long as `users`, the people whose `intents` the models were told."""

    users: list[str]
    intents: list[str]
    texts: dict[str, list[str]]
    """`human` first, then the models."""


def first_turns(
    models: Mapping[str, LocalGenerator], samples: pl.DataFrame, most: int, max_new_tokens: int, seed: int
) -> FirstTurns:
    """Of at most `most` conversations of `schemas.USER_SAMPLES` that the person opened, and no branch of another one.

    What people wrote is cut to as many tokens as models may write: all figures are then of texts of like length.
    """
    opened = samples.filter(pl.col("target_indexes").list.first() == 0).head(most)
    intents, said = opened["intent"].to_list(), opened["messages"].list.first().struct.field("content").to_list()
    situations = [Situation(intent, []) for intent in intents]
    chats = [model.checkpoint.chat for model in models.values()]
    human = [_cut(chats[0], text, max_new_tokens) for text in said] if chats else said
    written = {name: turns(model, situations, max_new_tokens, seed) for name, model in models.items()}
    return FirstTurns(opened["user_key"].to_list(), intents, {"human": human} | written)


def _cut(chat: ChatFormat, text: str, max_tokens: int) -> str:
    """The text up to its token `max_tokens`."""
    ids = chat.completion_ids(text)[:-1]
    return text if len(ids) <= max_tokens else str(chat.tokenizer.decode(ids[:max_tokens]))
