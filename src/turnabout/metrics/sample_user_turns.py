"""User turns sampled from a model, the same way for every model and metric."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from turnabout.generation import Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.chat_format import ChatFormat
from turnabout.simulation.users import PromptedUser, Situation, TrainedUser

#: Sampling settings of user turns, from the published user model's card (Naous et al. 2025).
TEMPERATURE, TOP_P = 1.0, 0.8


class FirstTurns(NamedTuple):
    """First messages by writer, one for each user and intent."""

    users: list[str]
    intents: list[str]
    texts: dict[str, list[str]]
    """`human` first, then the models."""


def sample_user_turns(
    model: LocalGenerator, situations: Sequence[Situation], max_new_tokens: int, seed: int
) -> list[str]:
    """Sample the next user turn of each conversation, without simulation guards.

    The model must not end the conversation instead. A model that speaks as the user is used as a user model; one that
    speaks as the assistant is prompted to act as a user.
    """
    user = TrainedUser(model) if model.speaks == "user" else PromptedUser(model)
    sampling = Sampling(max_new_tokens, temperature=TEMPERATURE, top_p=TOP_P, seed=seed, may_end=False)
    return [completion.text for completion in user.speak(situations, sampling)]


def collect_first_turns(
    models: Mapping[str, LocalGenerator],
    samples: pl.DataFrame,
    *,
    max_conversations: int,
    max_new_tokens: int,
    seed: int,
) -> FirstTurns:
    """Collect first messages of people, and those of models.

    Models write for the same people's intents. Uses at most `max_conversations` rows of `schemas.USER_SAMPLES` that the
    person opened and that are no branch of another conversation. People's messages are cut to as many tokens as models
    may write, so that all figures are of texts of similar length.
    """
    opened = samples.filter(pl.col("target_indexes").list.first() == 0).head(max_conversations)
    intents = opened["intent"].to_list()
    human = opened["messages"].list.first().struct.field("content").to_list()
    situations = [Situation(intent, []) for intent in intents]
    if models:
        chat = next(iter(models.values())).checkpoint.chat
        human = [_truncate(chat, text, max_new_tokens) for text in human]
    texts = {"human": human}
    for name, model in models.items():
        texts[name] = sample_user_turns(model, situations, max_new_tokens, seed)
    return FirstTurns(opened["user_key"].to_list(), intents, texts)


def _truncate(chat: ChatFormat, text: str, max_tokens: int) -> str:
    """Return the first `max_tokens` tokens of the text."""
    ids = chat.encode_completion(text)[:-1]
    return text if len(ids) <= max_tokens else str(chat.tokenizer.decode(ids[:max_tokens]))
