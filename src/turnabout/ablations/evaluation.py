"""Evaluation of the user model's arms on the same held-out people.

It measures the prediction of their messages, and termination. The questions are those of Naous et al. 2025 (§3): does
the intent help, is a base model the better start, how much data does it take? Arms differ only in their entry of
`user_arms`.
"""

from typing import Any, NamedTuple

import polars as pl

from turnabout.ablations.arm import ARM_TURNS
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.perplexity import estimate_bits_per_character, estimate_perplexity
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.termination import measure_termination
from turnabout.metrics.user_turns import cut_openings, score_excerpts
from turnabout.models.checkpoints import Checkpoint
from turnabout.stats.estimate import Bootstrap


class ArmEvaluation(NamedTuple):
    """An arm's metrics file, and its scored messages (`ARM_TURNS`)."""

    metrics: dict[str, Any]
    turns: pl.DataFrame


def evaluate_arm(
    checkpoint: Checkpoint, samples: dict[str, pl.DataFrame], *, settings: Evaluate, seed: int
) -> ArmEvaluation:
    """Evaluate how well a trained user model predicts the test people.

    It measures the prediction of their messages and of where they end a conversation. `samples` are
    `schemas.USER_SAMPLES` of the same conversations, by the detail of their intents. Those of `high_level` are scored
    once more without their intents (`none`): the same messages. They also hold the validation people, on whom the
    threshold of termination is chosen.
    """
    model, bootstrap = LocalGenerator(checkpoint, "user", settings.batch_size), Bootstrap(settings.resamples, seed)
    validation = _select_split(samples["high_level"], "validation")
    test = _select_split(samples["high_level"], "test")
    turns_by_detail = {
        detail: _score_test_turns(model, frame, settings.max_length, detail)
        for detail, frame in {**samples, "none": samples["high_level"]}.items()
    }
    termination = measure_termination(model, validation=validation, test=test, settings=settings, seed=seed)
    metrics: dict[str, Any] = {"bits_per_character": {}, "perplexity": {}}
    for detail, turns in turns_by_detail.items():
        metrics["bits_per_character"][detail] = estimate_bits_per_character(turns, bootstrap).to_dict()
        metrics["perplexity"][detail] = estimate_perplexity(turns, bootstrap).to_dict()
    metrics["termination"] = {name: estimate.to_dict() for name, estimate in termination.estimates.items()}
    metrics["n_conversations"] = test.height
    return ArmEvaluation(metrics, _number_people(turns_by_detail, test))


def _score_test_turns(model: LocalGenerator, samples: pl.DataFrame, max_length: int, detail: str) -> pl.DataFrame:
    """Return the test people's scores with intents of one detail.

    They are `user_turns.TURN_SCORES`.
    """
    test = _select_split(samples, "test")
    excerpts = cut_openings(test, model.checkpoint.chat, max_length, with_intent=detail != "none")
    return score_excerpts(model, excerpts).turns


def _number_people(turns_by_detail: dict[str, pl.DataFrame], test: pl.DataFrame) -> pl.DataFrame:
    """Return all scored messages as `ARM_TURNS`, with a number for each person.

    Test people without a scored message are numbered too, so that a person has the same number in every arm.
    """
    people = test.select(pl.col("user_key").unique().sort()).with_row_index("person")
    frames: list[pl.DataFrame] = []
    for detail, turns in turns_by_detail.items():
        numbered = turns.join(people, on="user_key").with_columns(intent_detail=pl.lit(detail))
        frames.append(numbered.select(list(ARM_TURNS)))
    return pl.concat(frames).sort("intent_detail", "conversation_id", "turn")


def _select_split(samples: pl.DataFrame, split: str) -> pl.DataFrame:
    """Return the samples of a split.

    A conversation without a user key counts as a person of its own.
    """
    return samples.filter(split=split).with_columns(user_key=pl.coalesce("user_key", "conversation_id"))
