"""Evaluation of models that play the user, on held-out people.

These are the figures of `metrics/user.json` and of `turnabout eval-user`: the intrinsic metrics of Naous et al. 2025,
§4, in one file each: `perplexity`, `diversity`, `overlap`, `termination`, `naturalness`, `role_adherence`,
`intent_adherence`. None of them uses a simulation guard.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.generated_turns import (
    EvaluatedModels,
    EvaluationSplits,
    measure_adherence,
    measure_first_turns,
)
from turnabout.metrics.intent_adherence import WORD_JUDGE, IntentJudge
from turnabout.metrics.perplexity import (
    estimate_bits_by_turn,
    estimate_bits_per_character,
    estimate_bits_saved,
    estimate_perplexity,
)
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.termination import measure_termination
from turnabout.metrics.user_turns import cut_openings, score_excerpts
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.context_length import check_context
from turnabout.stats.estimate import Bootstrap, Estimate

INTENTS = {"with_intent": True, "without_intent": False}

#: `user_turns.TURN_SCORES` by model and key of `INTENTS`.
ScoresByModel = dict[str, dict[str, pl.DataFrame]]


class UserModelMetrics(NamedTuple):
    """Figures for the metrics file, and plot data.

    The plot data are bits per character by model, intent and turn.
    """

    metrics: dict[str, Any]
    by_turn: pl.DataFrame


def check_context_lengths(checkpoint: Checkpoint, settings: Evaluate) -> None:
    """Raise `ConfigError` if the settings exceed the model's context."""
    tokens = {"evaluate.max_length": settings.max_length, "evaluate.max_new_tokens": settings.max_new_tokens}
    check_context(checkpoint, tokens)
    check_context(checkpoint, {"evaluate.ending_length": settings.ending_length})


def evaluate_user_models(
    models: EvaluatedModels, splits: EvaluationSplits, settings: Evaluate, seed: int, judge: IntentJudge = WORD_JUDGE
) -> UserModelMetrics:
    """Measure every metric of the models under evaluation.

    Messages are scored in the first `max_length` tokens of each test conversation. Termination is measured in the last
    `ending_length` tokens, because a conversation that is cut at its end does not show how it ended. (Ends are more
    frequent there than in whole conversations, so precision is higher than it would be over all of them.) The
    threshold is chosen for each model on the validation conversations.
    """
    bootstrap = Bootstrap(settings.resamples, seed)
    readers = dict(models.user_models)
    if models.untrained:
        readers["untrained"] = models.untrained
    scores = {name: _score_openings(model, splits.test, settings.max_length) for name, model in readers.items()}
    metrics: dict[str, Any] = {
        "perplexity": _estimate_by_model(scores, estimate_perplexity, bootstrap),
        "bits_per_character": _estimate_by_model(scores, estimate_bits_per_character, bootstrap),
    }
    if models.untrained:
        metrics["bits_per_character_saved"] = {
            intent: estimate_bits_saved(scores["untrained"][intent], scores["trained"][intent], bootstrap).to_dict()
            for intent in INTENTS
        }
    metrics |= {
        "termination": {
            name: _termination_figures(model, splits, settings, seed) for name, model in models.user_models.items()
        },
        **measure_first_turns(models, splits, settings, seed),
        **measure_adherence(models.user_models, settings, seed, judge),
        "n_conversations": splits.test.height,
        "n_users": splits.test["user_key"].n_unique(),
        "warnings": _list_warnings(splits.test, next(iter(scores.values()))["with_intent"], settings.max_length),
    }
    return UserModelMetrics(metrics, _bits_by_turn(scores, bootstrap))


def _score_openings(model: LocalGenerator, test: pl.DataFrame, max_length: int) -> dict[str, pl.DataFrame]:
    """Return `user_turns.TURN_SCORES` with and without the intent."""
    chat = model.checkpoint.chat
    return {
        name: score_excerpts(model, cut_openings(test, chat, max_length, with_intent)).turns
        for name, with_intent in INTENTS.items()
    }


def _estimate_by_model(
    scores: ScoresByModel, metric: Callable[[pl.DataFrame, Bootstrap], Estimate], bootstrap: Bootstrap
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for model, by_intent in scores.items():
        figures[model] = {intent: metric(turns, bootstrap).to_dict() for intent, turns in by_intent.items()}
    return figures


def _termination_figures(
    model: LocalGenerator, splits: EvaluationSplits, settings: Evaluate, seed: int
) -> dict[str, Any]:
    """Return precision, recall and F1, and the threshold they were measured at."""
    termination = measure_termination(
        model, validation=splits.validation, test=splits.test, settings=settings, seed=seed
    )
    figures: dict[str, Any] = {name: estimate.to_dict() for name, estimate in termination.estimates.items()}
    return {**figures, "threshold": termination.threshold}


def _bits_by_turn(scores: ScoresByModel, bootstrap: Bootstrap) -> pl.DataFrame:
    """Return the columns model, intent, and those of `perplexity.BITS_BY_TURN`."""
    frames = []
    for model, by_intent in scores.items():
        for intent, turns in by_intent.items():
            bits = estimate_bits_by_turn(turns, bootstrap)
            frames.append(bits.select(pl.lit(model).alias("model"), pl.lit(intent).alias("intent"), pl.all()))
    return pl.concat(frames)


def _list_warnings(test: pl.DataFrame, turns: pl.DataFrame, max_length: int) -> list[str]:
    """Return what a reader of the figures has to know.

    Warnings concern missing test users and messages that were not scored.
    """
    warnings = []
    if test.is_empty():
        warnings.append("no test conversation has an intent: nothing was measured; see intend.conversations and split")
    elif (n_users := test["user_key"].n_unique()) == 1:
        warnings.append(f"{n_users} test user: no figure has an interval")
    n_not_scored = int(test["target_indexes"].list.len().sum()) - turns.height
    if n_not_scored:
        warnings.append(
            f"{n_not_scored} user messages beyond the first {max_length} tokens (evaluate.max_length) not scored"
        )
    return warnings
