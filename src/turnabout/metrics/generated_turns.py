"""What models write when they play the user: the figures on first messages, and those on items of our own."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.conversations import sample_conversations
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.diversity import diversity
from turnabout.metrics.first_turns import FirstTurns, first_turns
from turnabout.metrics.intent_adherence import Judge, intent_adherence
from turnabout.metrics.items import intent_items, role_items
from turnabout.metrics.naturalness import fit_detector, naturalness
from turnabout.metrics.overlap import overlap
from turnabout.metrics.role_adherence import role_adherence
from turnabout.metrics.sample_user_turns import turns
from turnabout.metrics.settings import Evaluate
from turnabout.stats.estimate import Estimate


class People(NamedTuple):
    """Conversations of `schemas.USER_SAMPLES` by split; without a user key each is a person of its own."""

    test: pl.DataFrame
    validation: pl.DataFrame
    train: pl.DataFrame


def by_split(samples: pl.DataFrame, most: int, seed: int) -> People:
    """At most `most` conversations of each split."""
    known = samples.with_columns(user_key=pl.coalesce("user_key", "conversation_id"))
    return People(*(sample_conversations(known, {split: most}, seed) for split in People._fields))


class Cast(NamedTuple):
    """Who plays the user, who is only read, and who the detector of naturalness learns to tell from people.

    A player that speaks as the user is a user model; one that speaks as the assistant is told to act as a user.
    """

    players: Mapping[str, LocalGenerator]
    assistant: LocalGenerator
    untrained: LocalGenerator | None = None
    """What the player `trained` was made from, speaking as the user: bits saved are against it."""


def first_messages(cast: Cast, people: People, settings: Evaluate, seed: int) -> dict[str, Any]:
    """What is measured on first messages: of the test people, and of every player told the same people's intents."""
    limits = (settings.max_new_tokens, seed)
    learnt = first_turns({"assistant": cast.assistant}, people.train, settings.detector, *limits)
    detector = fit_detector(learnt.texts["human"], learnt.texts["assistant"], learnt.users, seed)
    first = first_turns(cast.players, people.test, settings.contexts, *limits)
    boot = (settings.resamples, seed)
    return {
        "first_turn_diversity": _each(first, lambda said: diversity(said, first.users, *boot)),
        "intent_overlap": _each(first, lambda said: overlap(said, first.intents, first.users, *boot)),
        "naturalness": {
            **_each(first, lambda said: naturalness(detector, said, first.users, *boot)),
            "detector": detector.to_dict() if detector else {"fingerprint": None},
        },
    }


def _each(first: FirstTurns, measure: Callable[[list[str]], Estimate]) -> dict[str, Any]:
    return {who: measure(said).to_dict() for who, said in first.texts.items()}


def adherence(
    players: Mapping[str, LocalGenerator], settings: Evaluate, seed: int, judge: Judge
) -> dict[str, dict[str, Any]]:
    """Role and intent adherence of every player; no person was asked the items, so people have no figure."""
    (choices, roles), (diversions, wanted) = role_items(settings.items), intent_items(settings.items)
    told: dict[str, dict[str, Any]] = {
        "role_adherence": {},
        "intent_adherence": {"judge": judge.name, "unjudged": {}},
    }
    for name, model in players.items():
        both = turns(model, [*roles, *wanted], settings.max_new_tokens, seed)
        told["role_adherence"][name] = role_adherence(both[: len(roles)], choices).to_dict()
        kept = intent_adherence(both[len(roles) :], diversions, judge)
        told["intent_adherence"][name] = kept.estimate.to_dict()
        told["intent_adherence"]["unjudged"][name] = kept.unjudged
    return told
