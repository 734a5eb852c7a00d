"""Comparison of all assistants on the same held-out prompts.

These are the figures of `metrics/assistants.json`; every arm is also compared with the untrained assistant.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.assistant_answers import AnswerScorers, generate_answers, score_answers, select_prompts
from turnabout.metrics.ranking import estimate_ranking_accuracy
from turnabout.metrics.settings import Evaluate
from turnabout.stats.estimate import Bootstrap, missing_estimate

UNTRAINED = "untrained"


class AssistantMetrics(NamedTuple):
    """Figures of each assistant by name, and all answers.

    Answers are rows of `schemas.ANSWERS`, sorted.
    """

    metrics: dict[str, Any]
    answers: pl.DataFrame


def compare_assistants(
    open_assistant: Callable[[str], LocalGenerator],
    scorers: AnswerScorers,
    *,
    pairs: Mapping[str, pl.DataFrame],
    samples: pl.DataFrame,
    settings: Evaluate,
    seed: int,
) -> AssistantMetrics:
    """Compare the untrained assistant and that of each arm.

    Every assistant answers one prompt per conversation of `samples`. `pairs` are the preference pairs by arm, for the
    ranking accuracy. Assistants are opened one after another, and released in between.
    """
    arms, bootstrap = list(pairs), Bootstrap(settings.resamples, seed)
    prompts = select_prompts(samples, scorers.backbone.chat, settings.max_length, seed)
    answers_by_assistant = []
    rankings: dict[str, dict[str, Any]] = {}
    for name in (UNTRAINED, *arms):
        assistant = open_assistant(name)
        answers_by_assistant.append(generate_answers(prompts, name, assistant, settings.max_new_tokens))
        rankings[name] = {arm: estimate_ranking_accuracy(assistant, pairs[arm], bootstrap).to_dict() for arm in arms}
    answers = score_answers(pl.concat(answers_by_assistant), scorers, settings.batch_size)
    metrics = {
        name: {**summarize_assistant(answers, name, arms, bootstrap), "ranking_accuracy": ranking}
        for name, ranking in rankings.items()
    }
    return AssistantMetrics(metrics, answers.select(list(schemas.ANSWERS)).sort("conversation_id", "assistant"))


def summarize_assistant(answers: pl.DataFrame, name: str, arms: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    """Return mean scores of an assistant, and an arm's gains over untrained.

    Gains are paired: the mean of the differences by prompt.
    """
    own_answers = answers.filter(assistant=name)
    means = _estimate_means(own_answers, arms, bootstrap)
    by_user, by_backbone = means.pop("follow_up_likelihood"), means.pop("follow_up_likelihood_backbone")
    figures = {
        "follow_up_likelihood": {"user": by_user, "backbone": by_backbone},
        **means,
        "n_answers": own_answers.height,
        "n_cut_off": int(own_answers["cut_off"].sum()),
    }
    if name == UNTRAINED:
        return figures
    untrained_answers = answers.filter(assistant=UNTRAINED)
    paired = own_answers.join(untrained_answers, on="conversation_id", suffix="_before", validate="1:1")
    return {**figures, f"versus_{UNTRAINED}": _estimate_means(paired, arms, bootstrap)}


def _estimate_means(answers: pl.DataFrame, arms: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the mean of each score over the rows.

    Where the frame has the untrained assistant's columns with the suffix `_before`, it is the mean of the gain.
    """
    lengths = [pl.col("answer").str.len_chars().cast(pl.Float64).alias("reply_characters")]
    if "answer_before" in answers.columns:
        lengths.append(pl.col("answer_before").str.len_chars().cast(pl.Float64).alias("reply_characters_before"))
    scores = answers.with_columns(lengths)
    users = scores["user_key"].to_list()

    def estimate_mean(column: str) -> dict[str, Any]:
        """Return the metrics entry of one score."""
        if column not in scores.columns:
            return missing_estimate("the arm had too few pairs to train its reward head").to_dict()
        has_before = f"{column}_before" in scores.columns
        values = scores[column] - scores[f"{column}_before"] if has_before else scores[column]
        return bootstrap.mean(values, users).to_dict()

    return {
        "follow_up_likelihood": estimate_mean("follow_up_likelihood_user"),
        "follow_up_likelihood_backbone": estimate_mean("follow_up_likelihood_backbone"),
        "reply_characters": estimate_mean("reply_characters"),
        "reward": {arm: estimate_mean(f"reward_{arm}") for arm in arms},
    }
