"""Metrics on generated user turns: first messages and adherence items."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.conversations import sample_conversations
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.diversity import estimate_diversity
from turnabout.metrics.intent_adherence import IntentJudge, estimate_intent_adherence
from turnabout.metrics.items import load_intent_items, load_role_items
from turnabout.metrics.naturalness import estimate_naturalness, fit_detector
from turnabout.metrics.overlap import estimate_overlap
from turnabout.metrics.role_adherence import estimate_role_adherence
from turnabout.metrics.sample_user_turns import FirstTurns, collect_first_turns, sample_user_turns
from turnabout.metrics.settings import Evaluate
from turnabout.stats.estimate import Bootstrap, Estimate


class EvaluationSplits(NamedTuple):
    """Conversations of `schemas.USER_SAMPLES` by split.

    A conversation without a user key is a user of its own.
    """

    test: pl.DataFrame
    validation: pl.DataFrame
    train: pl.DataFrame


def sample_splits(samples: pl.DataFrame, max_conversations: int, seed: int) -> EvaluationSplits:
    """Sample at most `max_conversations` of each split."""
    keyed = samples.with_columns(user_key=pl.coalesce("user_key", "conversation_id"))

    def sample_split(split: str) -> pl.DataFrame:
        """Return the sample of one split."""
        return sample_conversations(keyed, {split: max_conversations}, seed)

    return EvaluationSplits(
        test=sample_split("test"), validation=sample_split("validation"), train=sample_split("train")
    )


class EvaluatedModels(NamedTuple):
    """Models under evaluation."""

    user_models: Mapping[str, LocalGenerator]
    """Models that play the user. One that speaks as the assistant is prompted to act as a user."""
    detector_assistant: LocalGenerator
    """Assistant whose acting as a user the naturalness detector learns to distinguish from people."""
    untrained: LocalGenerator | None = None
    """Model that the user model `trained` started from, speaking as the user; the baseline of bits saved."""


def measure_first_turns(
    models: EvaluatedModels, splits: EvaluationSplits, settings: Evaluate, seed: int
) -> dict[str, Any]:
    """Measure first messages of test users and of every user model.

    The models write for the intents of the same users.
    """
    training_turns = collect_first_turns(
        {"assistant": models.detector_assistant},
        splits.train,
        max_conversations=settings.detector,
        max_new_tokens=settings.max_new_tokens,
        seed=seed,
    )
    texts = training_turns.texts
    detector = fit_detector(texts["human"], texts["assistant"], training_turns.users, seed)
    first_turns = collect_first_turns(
        models.user_models,
        splits.test,
        max_conversations=settings.contexts,
        max_new_tokens=settings.max_new_tokens,
        seed=seed,
    )
    users, intents, bootstrap = first_turns.users, first_turns.intents, Bootstrap(settings.resamples, seed)
    return {
        "first_turn_diversity": _estimate_by_writer(
            first_turns, lambda texts: estimate_diversity(texts, users, bootstrap)
        ),
        "intent_overlap": _estimate_by_writer(
            first_turns, lambda texts: estimate_overlap(texts, intents, users, bootstrap)
        ),
        "naturalness": {
            **_estimate_by_writer(first_turns, lambda texts: estimate_naturalness(detector, texts, users, bootstrap)),
            "detector": detector.to_dict() if detector else {"fingerprint": None},
        },
    }


def _estimate_by_writer(first_turns: FirstTurns, metric: Callable[[list[str]], Estimate]) -> dict[str, Any]:
    return {writer: metric(texts).to_dict() for writer, texts in first_turns.texts.items()}


def measure_adherence(
    user_models: Mapping[str, LocalGenerator], settings: Evaluate, seed: int, judge: IntentJudge
) -> dict[str, dict[str, Any]]:
    """Measure role and intent adherence of every user model.

    People have no figure, because no person answered the items.
    """
    role_items, role_situations = load_role_items(settings.items)
    intent_items, intent_situations = load_intent_items(settings.items)
    role_figures: dict[str, Any] = {}
    intent_figures: dict[str, Any] = {}
    n_unjudged: dict[str, int] = {}
    for name, model in user_models.items():
        turns = sample_user_turns(model, [*role_situations, *intent_situations], settings.max_new_tokens, seed)
        role_turns, intent_turns = turns[: len(role_items)], turns[len(role_items) :]
        role_figures[name] = estimate_role_adherence(role_turns, role_items).to_dict()
        intent_adherence = estimate_intent_adherence(intent_turns, intent_items, judge)
        intent_figures[name] = intent_adherence.estimate.to_dict()
        n_unjudged[name] = intent_adherence.n_unjudged
    return {
        "role_adherence": role_figures,
        "intent_adherence": {"judge": judge.name, "unjudged": n_unjudged, **intent_figures},
    }
