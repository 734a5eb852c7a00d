"""Dialogue termination: a model ends a conversation where the user did.

Precision, recall and F1 at the positions after an assistant message, where a person ended the conversation or went on.
Naous et al. 2025, §4 ("dialogue termination"); the positive class is ending.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.user_turns import cut_endings, score_excerpts
from turnabout.stats.estimate import Array, Bootstrap, Estimate, missing_estimate


class TerminationResult(NamedTuple):
    """Estimates by name, and the threshold behind those that need one.

    The threshold is None where no validation conversation ended.
    """

    estimates: dict[str, Estimate]
    threshold: float | None


def measure_termination(
    model: LocalGenerator, *, validation: pl.DataFrame, test: pl.DataFrame, settings: Evaluate, seed: int
) -> TerminationResult:
    """Measure termination on the ends of test conversations.

    Their last `ending_length` tokens are read. Both tables are of `schemas.USER_SAMPLES`; the threshold is chosen on
    the validation conversations.
    """
    chat = model.checkpoint.chat
    validation_decisions, test_decisions = (
        score_excerpts(model, cut_endings(samples, chat, settings.ending_length)).decisions
        for samples in (validation, test)
    )
    threshold = choose_threshold(validation_decisions)
    estimates = estimate_termination(test_decisions, threshold, Bootstrap(settings.resamples, seed))
    return TerminationResult(estimates, threshold)


def choose_threshold(decisions: pl.DataFrame) -> float | None:
    """Return the threshold on P(end) with the highest F1 on these decisions.

    From the threshold on, an end is predicted. Of thresholds with equal F1, the highest is returned; None where no
    conversation ended.
    """
    from sklearn.metrics import precision_recall_curve

    if not decisions["ended"].any():
        return None
    precision, recall, thresholds = precision_recall_curve(decisions["ended"], decisions["p_end"])
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    best = np.flatnonzero(f1[:-1] == f1[:-1].max())[-1]
    return float(thresholds[best])


def estimate_termination(decisions: pl.DataFrame, threshold: float | None, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Estimate precision, recall and F1 of predicted ends.

    `decisions` are rows of `user_turns.END_DECISIONS`; an end is predicted where P(end) is `threshold` or more. Two
    estimates need no threshold. `f1_drawn` is the F1 of the expected counts where the model ends conversations by
    sampling, one draw per position: the paper counts this way, and a simulation behaves so. `f1_always` is the F1 of
    always predicting an end: a model whose F1 is not higher has learned nothing about ends.
    """
    at_threshold, without_threshold = ("precision", "recall", "f1"), ("f1_drawn", "f1_always")
    if not decisions["ended"].any():
        missing = missing_estimate("no person ended a test conversation")
        return dict.fromkeys((*at_threshold, *without_threshold), missing)
    ended, users = decisions["ended"], decisions["user_key"].to_list()
    drawn_counts = _confusion_counts(decisions["p_end"], ended)
    always_counts = _confusion_counts(pl.ones(len(ended), eager=True), ended)
    f1_estimates = {
        "f1_drawn": bootstrap.statistic(drawn_counts, _f1_score, users),
        "f1_always": bootstrap.statistic(always_counts, _f1_score, users),
    }
    if threshold is None:
        missing = missing_estimate("no person ended a validation conversation: no threshold to choose")
        return {**dict.fromkeys(at_threshold, missing), **f1_estimates}
    counts = _confusion_counts((decisions["p_end"] >= threshold).cast(pl.Float64), ended)
    statistics = {"precision": _precision_score, "recall": _recall_score, "f1": _f1_score}
    estimates = {name: bootstrap.statistic(counts, of_sums, users) for name, of_sums in statistics.items()}
    return {**estimates, **f1_estimates}


def _confusion_counts(predicted: pl.Series, ended: pl.Series) -> list[pl.Series]:
    """Return true positives, false positives and false negatives per position.

    `predicted` is the predicted probability of an end, from 0 to 1.
    """
    return [predicted * ended, predicted * ~ended, (1 - predicted) * ended]


def _precision_score(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 1])


def _recall_score(sums: Array) -> Array:
    return sums[:, 0] / (sums[:, 0] + sums[:, 2])


def _f1_score(sums: Array) -> Array:
    return 2 * sums[:, 0] / (2 * sums[:, 0] + sums[:, 1] + sums[:, 2])
