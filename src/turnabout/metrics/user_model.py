"""The user model against the model it was made from, on people neither has met: the figures of `metrics/user.json`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.generation import Message, Sampling
from turnabout.generation.local import LocalGenerator
from turnabout.metrics.diversity import diversity
from turnabout.metrics.perplexity import bits_per_character, bits_saved, by_turn, perplexity
from turnabout.metrics.termination import best_threshold, termination
from turnabout.metrics.user_turns import endings, openings, score
from turnabout.params import Evaluate

#: How user turns are drawn: the settings of the published user model's card (Naous et al. 2025).
TEMPERATURE, TOP_P = 1.0, 0.8

INTENTS = {"with_intent": True, "without_intent": False}

Turns = dict[str, dict[str, pl.DataFrame]]


class UserFigures(NamedTuple):
    """The figures as the metrics file has them, and bits per character by model, intent and turn as plot data."""

    metrics: dict[str, Any]
    by_turn: pl.DataFrame


def evaluate(
    models: Mapping[str, LocalGenerator], test: pl.DataFrame, validation: pl.DataFrame, settings: Evaluate, seed: int
) -> UserFigures:
    """All figures of the models `trained` and `untrained`, both speaking as the user, on `schemas.USER_SAMPLES`.

    Prediction is measured on the first `max_length` tokens of each test conversation, leaving on the last ones: a cut
    conversation does not show how it ended. (Ends are more frequent there than in whole conversations, so precision is
    higher than it would be over all of them.) Thresholds come from the validation conversations, one per model.
    """
    boot = (settings.resamples, seed)
    turns = {name: _turns(model, test, settings) for name, model in models.items()}
    metrics = {
        "perplexity": _each(turns, perplexity, boot),
        "bits_per_character": _each(turns, bits_per_character, boot),
        "bits_per_character_saved": {
            intent: bits_saved(turns["untrained"][intent], turns["trained"][intent], *boot).to_dict()
            for intent in INTENTS
        },
        "termination": {name: _leaving(model, test, validation, settings, seed) for name, model in models.items()},
        "first_turn_diversity": _first_turns(models, test.head(settings.contexts), settings, seed),
        "n_conversations": test.height,
        "n_users": test["user_key"].n_unique(),
        "warnings": _warnings(test, turns["untrained"]["with_intent"], settings.max_length),
    }
    return UserFigures(metrics, _by_turn(turns, boot))


def _turns(model: LocalGenerator, test: pl.DataFrame, settings: Evaluate) -> dict[str, pl.DataFrame]:
    """`user_turns.TURNS` with and without the intent."""
    chat = model.checkpoint.chat
    return {
        name: score(model.checkpoint, openings(test, chat, settings.max_length, with_intent), settings.batch_size).turns
        for name, with_intent in INTENTS.items()
    }


def _each(turns: Turns, measure: Any, boot: tuple[int, int]) -> dict[str, Any]:
    return {
        model: {intent: measure(frame, *boot).to_dict() for intent, frame in by_intent.items()}
        for model, by_intent in turns.items()
    }


def _leaving(
    model: LocalGenerator, test: pl.DataFrame, validation: pl.DataFrame, settings: Evaluate, seed: int
) -> dict[str, Any]:
    """Precision, recall, F1 and the threshold they were measured at."""
    chosen_on, measured_on = (
        score(
            model.checkpoint, endings(part, model.checkpoint.chat, settings.max_length), settings.batch_size
        ).decisions
        for part in (validation, test)
    )
    threshold = best_threshold(chosen_on)
    found = termination(measured_on, threshold, settings.resamples, seed)
    return {**{name: estimate.to_dict() for name, estimate in found.items()}, "threshold": threshold}


def _first_turns(
    models: Mapping[str, LocalGenerator], test: pl.DataFrame, settings: Evaluate, seed: int
) -> dict[str, Any]:
    """Diversity of what people wrote first, and of what each model writes first when told the same people's intents."""
    opened = test.filter(pl.col("messages").list.first().struct.field("role") == "user")
    texts = {"human": opened["messages"].list.first().struct.field("content").to_list()}
    prompts: list[list[Message]] = [[{"role": "system", "content": intent}] for intent in opened["intent"]]
    sampling = Sampling(settings.max_new_tokens, TEMPERATURE, TOP_P, seed, may_end=False)
    texts |= {name: [turn.text for turn in model.generate(prompts, sampling)] for name, model in models.items()}
    users = opened["user_key"].to_list()
    return {who: diversity(said, users, settings.resamples, seed).to_dict() for who, said in texts.items()}


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
