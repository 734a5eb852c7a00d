"""Models of the user on people they have not met: the figures of `metrics/user.json` and of `turnabout eval-user`.

The intrinsic metrics of Naous et al. 2025, §4, a file each: `perplexity`, `diversity`, `overlap`, `termination`,
`naturalness`, `role_adherence`, `intent_adherence`. No simulation guard is at work in any of them.
"""

from typing import Any, NamedTuple

import polars as pl

from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.end_probabilities import leaving
from turnabout.metrics.generated_turns import Cast, People, adherence, first_messages
from turnabout.metrics.intent_adherence import WORDS, Judge
from turnabout.metrics.perplexity import bits_per_character, bits_saved, by_turn, perplexity
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.user_turns import openings, score

INTENTS = {"with_intent": True, "without_intent": False}

Turns = dict[str, dict[str, pl.DataFrame]]


class UserFigures(NamedTuple):
    """The figures as the metrics file has them, and bits per character by model, intent and turn as plot data."""

    metrics: dict[str, Any]
    by_turn: pl.DataFrame


def evaluate(cast: Cast, people: People, settings: Evaluate, seed: int, judge: Judge = WORDS) -> UserFigures:
    """All figures of the cast.

    Prediction is measured on the first `max_length` tokens of each test conversation, leaving on the last
    `ending_length`: a cut conversation does not show how it ended. (Ends are more frequent there than in whole
    conversations, so precision is higher than it would be over all of them.) Thresholds come from the validation
    conversations, one per model.
    """
    boot = (settings.resamples, seed)
    readers = {**cast.players, **({"untrained": cast.untrained} if cast.untrained else {})}
    read = {name: _turns(model, people.test, settings) for name, model in readers.items()}
    saved = (
        {intent: bits_saved(read["untrained"][intent], read["trained"][intent], *boot).to_dict() for intent in INTENTS}
        if cast.untrained
        else None
    )
    metrics = {
        "perplexity": _each(read, perplexity, boot),
        "bits_per_character": _each(read, bits_per_character, boot),
        **({"bits_per_character_saved": saved} if saved else {}),
        "termination": {name: _leaving(model, people, settings, seed) for name, model in cast.players.items()},
        **first_messages(cast, people, settings, seed),
        **adherence(cast.players, settings, seed, judge),
        "n_conversations": people.test.height,
        "n_users": people.test["user_key"].n_unique(),
        "warnings": _warnings(people.test, next(iter(read.values()))["with_intent"], settings.max_length),
    }
    return UserFigures(metrics, _by_turn(read, boot))


def _turns(model: LocalGenerator, test: pl.DataFrame, settings: Evaluate) -> dict[str, pl.DataFrame]:
    """`user_turns.TURNS` with and without the intent."""
    chat = model.checkpoint.chat
    return {
        name: score(
            model.checkpoint,
            openings(test, chat, settings.max_length, with_intent),
            settings.batch_size,
            model.speaks,
        ).turns
        for name, with_intent in INTENTS.items()
    }


def _each(turns: Turns, measure: Any, boot: tuple[int, int]) -> dict[str, Any]:
    return {
        model: {intent: measure(frame, *boot).to_dict() for intent, frame in by_intent.items()}
        for model, by_intent in turns.items()
    }


def _leaving(model: LocalGenerator, people: People, settings: Evaluate, seed: int) -> dict[str, Any]:
    """Precision, recall, F1 and the threshold they were measured at."""
    sizes, boot = (settings.ending_length, settings.batch_size), (settings.resamples, seed)
    found = leaving(model.checkpoint, people.validation, people.test, *sizes, boot, model.speaks)
    return {**{name: each.to_dict() for name, each in found.figures.items()}, "threshold": found.threshold}


def _by_turn(turns: Turns, boot: tuple[int, int]) -> pl.DataFrame:
    """Columns model, intent, and those of `perplexity.by_turn`."""
    return pl.concat(
        [
            by_turn(frame, *boot).select(pl.lit(model).alias("model"), pl.lit(intent).alias("intent"), pl.all())
            for model, by_intent in turns.items()
            for intent, frame in by_intent.items()
        ]
    )


def _warnings(test: pl.DataFrame, turns: pl.DataFrame, max_length: int) -> list[str]:
    """What a reader of the figures has to know: who is missing, and what was not scored."""
    warnings = []
    if test.is_empty():
        warnings.append("no test conversation has an intent: nothing was measured; see intend.conversations and split")
    elif (n_users := test["user_key"].n_unique()) == 1:
        warnings.append(f"{n_users} test user: no figure has an interval")
    beyond = int(test["target_indexes"].list.len().sum()) - turns.height
    if beyond:
        warnings.append(f"{beyond} user messages beyond the first {max_length} tokens (evaluate.max_length) not scored")
    return warnings
