"""Every assistant on the same held-out prompts, and against the untrained one: figures of `metrics/assistants.json`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.assistant_answers import Scorers, answered, judged, prompts
from turnabout.metrics.ranking import ranking_accuracy
from turnabout.metrics.settings import Evaluate
from turnabout.stats.estimate import mean, nothing

UNTRAINED = "untrained"


class Comparison(NamedTuple):
    """The figures of each assistant by its name, and all their answers (`schemas.ANSWERS`, sorted)."""

    metrics: dict[str, Any]
    answers: pl.DataFrame


def compare(
    arms: Sequence[str],
    open_assistant: Callable[[str], LocalGenerator],
    scorers: Scorers,
    pairs: Mapping[str, pl.DataFrame],
    samples: pl.DataFrame,
    settings: Evaluate,
    seed: int,
) -> Comparison:
    """The untrained assistant and that of each arm on one prompt per conversation of `samples`.

    `pairs` are each arm's, for the ranking accuracy. Assistants are opened one after another, and let go in between.
    """
    asked = prompts(samples, scorers.backbone.chat, settings.max_length, seed)
    written, ranking = [], {}
    for name in (UNTRAINED, *arms):
        assistant = open_assistant(name)
        written.append(answered(asked, name, assistant, settings.max_new_tokens))
        ranking[name] = {
            arm: ranking_accuracy(
                assistant.checkpoint, pairs[arm], settings.batch_size, settings.resamples, seed
            ).to_dict()
            for arm in arms
        }
    answers = judged(pl.concat(written), scorers, settings.batch_size)
    metrics = {
        name: {**figures(answers, name, arms, settings.resamples, seed), "ranking_accuracy": ranked}
        for name, ranked in ranking.items()
    }
    return Comparison(metrics, answers.select(list(schemas.ANSWERS)).sort("conversation_id", "assistant"))


def figures(answers: pl.DataFrame, name: str, arms: Sequence[str], resamples: int, seed: int) -> dict[str, Any]:
    """Means over the judged answers of the assistant `name`; of an arm's, also the gain over the untrained one's.

    Gains are paired: prompt by prompt, then the mean.
    """
    own = answers.filter(assistant=name)
    levels = _means(own, arms, resamples, seed)
    user, backbone = levels.pop("follow_up_likelihood"), levels.pop("follow_up_likelihood_backbone")
    told = {"follow_up_likelihood": {"user": user, "backbone": backbone}, **levels}
    if name == UNTRAINED:
        return told
    paired = own.join(answers.filter(assistant=UNTRAINED), on="conversation_id", suffix="_before", validate="1:1")
    return {**told, f"versus_{UNTRAINED}": _means(paired, arms, resamples, seed)}


def _means(answers: pl.DataFrame, arms: Sequence[str], resamples: int, seed: int) -> dict[str, Any]:
    """The mean of each figure over the rows, or of its gain where the frame has the untrained one's as `_before`."""
    said = answers.with_columns(reply_characters=pl.col("answer").str.len_chars().cast(pl.Float64))
    if "answer_before" in said.columns:
        said = said.with_columns(reply_characters_before=pl.col("answer_before").str.len_chars().cast(pl.Float64))
    users = said["user_key"].to_list()

    def average(column: str) -> dict[str, Any]:
        if column not in said.columns:
            return nothing("the arm had too few pairs to train its reward head").to_dict()
        gain = said[column] - said[f"{column}_before"] if f"{column}_before" in said.columns else said[column]
        return mean(gain, users, resamples, seed).to_dict()

    return {
        "follow_up_likelihood": average("follow_up_likelihood_user"),
        "follow_up_likelihood_backbone": average("follow_up_likelihood_backbone"),
        "reply_characters": average("reply_characters"),
        "reward": {arm: average(f"reward_{arm}") for arm in arms},
    }
