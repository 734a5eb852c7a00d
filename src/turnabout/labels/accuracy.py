"""Accuracy of the miners against people's labels, and the gate on it.

Every labelled exchange counts as many times as the exchanges it stands for. Precision has Wilson's (1927) interval over
the effective number of people (Kish 1965: (Σ w)² / Σ w², w summed per person): what one person writes is alike, and a
bootstrap of five right out of five would claim certainty. The interval of recall combines those of precision and of
the share missed (MOVER, Zou & Donner 2008), because the few labels of silent exchanges stand for most of the log: even
where none of them is a miss, there may be some. Kappa (Cohen 1960) has a bootstrap over people.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.core.conversations import REPLY_KEY
from turnabout.errors import DataError
from turnabout.feedback.ensemble import EnsembleWeights, decide_replies, refit_weights
from turnabout.feedback.signals import drop_weak
from turnabout.labels.sampling import add_weights
from turnabout.stats.estimate import Array, Bootstrap, Estimate, missing_estimate
from turnabout.stats.kappa import estimate_kappa

RESAMPLES, N_FOLDS = 1000, 5

#: The 97.5 % quantile of the normal distribution.
Z = 1.959964

#: Labels that have a precision and a recall.
MEASURED_LABELS = ("sat", "dsat")


def prepare_labels(labels: pl.DataFrame, sample: pl.DataFrame, exchanges: pl.DataFrame) -> pl.DataFrame:
    """Return the labels of exchanges in the log, with weight and person.

    The columns `weight` and `user_key` are added. `labels` is `schemas.LABELS`, `sample` is `schemas.LABEL_SAMPLE`.
    `exchanges` has `REPLY_KEY` and `user_key` of the labelled exchanges in the log; where the log names no person,
    every conversation is a person of its own.
    """
    person = pl.coalesce("user_key", "conversation_id").alias("user_key")
    current = labels.join(exchanges.select(*REPLY_KEY, person), on=REPLY_KEY).sort(*REPLY_KEY, "annotator")
    return add_weights(current, sample)


def measure_mining_accuracy(
    signals: pl.DataFrame, labels: pl.DataFrame, weights: EnsembleWeights, *, min_confidence: float, seed: int
) -> dict[str, Any]:
    """Return the accuracy of decisions, miners and categories.

    The agreement of the annotators is in the result, too. `labels` are those of `prepare_labels`, one judgement per
    row. Weak decisions are left out. Recall is measured over all exchanges with the label, so the recall of one
    category is the share of all dissatisfaction that it finds.
    """
    decisions = decide_out_of_fold(signals, labels, weights).filter(pl.col("confidence") >= min_confidence)
    by_miner = {name: measure_by_label(rows, labels, seed) for name, rows in _group_by(signals, "miner")}
    by_category = {name: measure_by_label(rows, labels, seed) for name, rows in _group_by(signals, "category")}
    return {
        "n_labels": labels.height,
        "n_exchanges": labels.n_unique(REPLY_KEY),
        "n_people": labels["user_key"].n_unique(),
        "decisions": measure_by_label(drop_weak(decisions), labels, seed),
        "miners": by_miner,
        "categories": by_category,
        "annotators": measure_agreement(labels, seed),
    }


def _group_by(signals: pl.DataFrame, column: str) -> Iterable[tuple[str, pl.DataFrame]]:
    return ((str(name), rows) for (name,), rows in sorted(signals.partition_by(column, as_dict=True).items()))


def measure_by_label(signals: pl.DataFrame, labels: pl.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Return precision, recall and kappa for each label of the signals."""
    figures = {}
    for label in MEASURED_LABELS:
        if label in signals["label"]:
            figures[label] = _measure_label(signals.filter(label=label), labels, label, seed)
    return figures


def _measure_label(signals: pl.DataFrame, labels: pl.DataFrame, label: str, seed: int) -> dict[str, Any]:
    flags = signals.select(REPLY_KEY).unique().with_columns(flagged=True)
    table = labels.join(flags, on=REPLY_KEY, how="left", maintain_order="left").with_columns(
        pl.col("flagged").fill_null(False), true=pl.col("label") == label
    )
    kappa = estimate_kappa(
        table["flagged"],
        table["true"],
        weight=table["weight"],
        users=table["user_key"].to_list(),
        bootstrap=Bootstrap(RESAMPLES, seed),
    )
    return {
        "precision": estimate_share(table.filter("flagged"), "true").to_dict(),
        "recall": estimate_recall(table).to_dict(),
        "kappa": kappa.to_dict(),
    }


def estimate_share(table: pl.DataFrame, column: str) -> Estimate:
    """Estimate the weighted share of rows where `column` is true.

    The interval is Wilson's over the effective number of people.
    """
    if table.is_empty():
        return missing_estimate("no labelled exchange to count")
    weight = table["weight"].to_numpy()
    p = float(weight[table[column].to_numpy()].sum() / weight.sum())
    people = table.group_by("user_key", maintain_order=True).agg(pl.col("weight").sum())["weight"].to_numpy()
    n = float(people.sum() ** 2 / (people**2).sum())
    centre, spread = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = ((centre + sign * spread) / (1 + Z**2 / n) for sign in (-1, 1))
    return Estimate(value=p, low=max(0.0, low), high=min(1.0, high), n=table.height)


def estimate_recall(table: pl.DataFrame) -> Estimate:
    """Estimate the weighted share of `true` rows that are `flagged`.

    With precision p among the flagged rows, which stand for F exchanges, and the share q missed among the other rows,
    which stand for U, recall is pF / (pF + qU). For each end of the interval, the distances that the ends of p and of q
    move recall are added in squares. Where all rows or none are flagged there is one part, and the interval is
    Wilson's.
    """
    whole = estimate_share(table.filter("true"), "flagged")
    flagged, unflagged = table.filter("flagged"), table.filter(~pl.col("flagged"))
    p, q = estimate_share(flagged, "true"), estimate_share(unflagged, "true")
    if whole.value is None or p.value is None or q.value is None:
        return whole

    n_flagged, n_unflagged = (float(part["weight"].to_numpy().sum()) for part in (flagged, unflagged))

    def compute_recall(precision: float | None, share_missed: float | None) -> float:
        hits, misses = (precision or 0.0) * n_flagged, (share_missed or 0.0) * n_unflagged
        return hits / (hits + misses) if hits else 0.0

    r = whole.value
    low = r - math.hypot(r - compute_recall(p.low, q.value), r - compute_recall(p.value, q.high))
    high = r + math.hypot(compute_recall(p.high, q.value) - r, compute_recall(p.value, q.low) - r)
    return Estimate(value=r, low=max(0.0, low), high=min(1.0, high), n=whole.n)


def measure_agreement(labels: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Return Cohen's kappa of every two annotators.

    It is measured on the exchanges that both judged. The labels are sat, dsat and none.
    """
    figures = {}
    for first, second in combinations(sorted(labels["annotator"].unique()), 2):
        by_first, by_second = (
            labels.filter(annotator=name).select(*REPLY_KEY, "user_key", "label") for name in (first, second)
        )
        both = by_first.join(by_second, on=REPLY_KEY, maintain_order="left")
        if both.height:
            figures[f"{first} and {second}"] = _estimate_annotator_kappa(both, seed).to_dict()
    return figures


def _estimate_annotator_kappa(both: pl.DataFrame, seed: int) -> Estimate:
    """Estimate kappa of the columns `label` and `label_right`."""
    names = [*MEASURED_LABELS, "none"]
    first, second = both["label"].to_numpy(), both["label_right"].to_numpy()
    columns = [np.ones(both.height), first == second]
    columns += [first == name for name in names] + [second == name for name in names]

    def kappa_of_sums(sums: Array) -> Array:
        shares = sums / sums[:, :1]
        chance = (shares[:, 2:5] * shares[:, 5:8]).sum(axis=1)
        kappa: NDArray[np.float64] = (shares[:, 1] - chance) / (1 - chance)
        return kappa

    return Bootstrap(RESAMPLES, seed).statistic(columns, kappa_of_sums, both["user_key"].to_list())


def decide_out_of_fold(signals: pl.DataFrame, labels: pl.DataFrame, weights: EnsembleWeights) -> pl.DataFrame:
    """Return decisions by weights refitted without the same people's labels.

    There are `N_FOLDS` folds of people. Decisions by weights that saw the labels would have too high an accuracy.
    """
    people = labels["user_key"].unique().sort()
    fold_by_person = {person: i % N_FOLDS for i, person in enumerate(people)}
    folds = labels.with_columns(fold=pl.col("user_key").replace_strict(fold_by_person, return_dtype=pl.Int64))
    parts = []
    for fold in range(N_FOLDS):
        refitted = refit_weights(signals, folds.filter(pl.col("fold") != fold), weights)
        parts.append(decide_replies(signals.join(folds.filter(fold=fold), on=REPLY_KEY, how="semi"), refitted))
    return pl.concat(parts)


def check_precision(figures: Mapping[str, Any], min_precision: Mapping[str, float | None]) -> None:
    """Check decisions against `mine.min_precision`.

    Raises `DataError` where the lower end of the precision's interval is below it: three right out of three show
    little.
    """
    failures = []
    for label, minimum in min_precision.items():
        precision = figures["decisions"].get(label, {}).get("precision")
        if minimum is None or precision is None or precision["value"] is None:
            continue
        if precision["low"] < minimum:
            failures.append(
                f"precision of '{label}' is {precision['value']:.2f} [{precision['low']:.2f}, {precision['high']:.2f}] "
                f"on {precision['n']} labelled exchanges, mine.min_precision asks for {minimum:g}"
            )
    if failures:
        raise DataError(
            "; ".join(failures) + "; no pairs are built on this feedback. If the interval is wide, label more "
            "(`turnabout label`). If the value is low, raise mine.min_confidence or remove the miner that "
            "metrics/mine.json shows to be wrong. null in mine.min_precision builds pairs all the same"
        )
