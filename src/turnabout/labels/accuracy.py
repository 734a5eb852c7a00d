"""How right the miners are on this log: precision, recall and kappa against people's labels, and the gate on them.

Every labelled exchange counts as many times as it stands for in the log. Precision has Wilson's (1927) interval over
the effective number of people (Kish 1965: (Σ w)² / Σ w², w summed per person), because what one person writes is alike,
and because a bootstrap of five right out of five claims certainty. Recall has one of the intervals of what was found
and of what was missed (MOVER, Zou & Donner 2008), because the few labels of silent exchanges stand for most of the log:
where none of them is a miss, some still may be. Kappa (Cohen 1960) has a bootstrap over people.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.errors import DataError
from turnabout.feedback.ensemble import REPLY, Weights, decide, refit
from turnabout.feedback.signals import outright
from turnabout.labels.sampling import weighted
from turnabout.stats.estimate import Array, Estimate, nothing, statistic
from turnabout.stats.kappa import kappa

RESAMPLES, FOLDS = 1000, 5

#: The 97.5 % quantile of the normal distribution.
Z = 1.959964

LABELS = ("sat", "dsat")


def judged_by_people(labels: pl.DataFrame, sample: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Labels (`schemas.LABELS`) of exchanges that are in the log, with `weight` and `user_key`.

    `seen` has the person behind each of those exchanges; one the log does not name is a person per conversation.
    """
    person = pl.coalesce("user_key", "conversation_id").alias("user_key")
    here = labels.join(seen.select(*REPLY, person), on=REPLY).sort(*REPLY, "annotator")
    return weighted(here, sample)


def accuracy(
    found: pl.DataFrame, judged: pl.DataFrame, weights: Weights, min_confidence: float, seed: int
) -> dict[str, Any]:
    """The figures of decisions (weak ones aside), miners, categories, and of the judges among each other.

    `judged` is one judgement per row, as `judged_by_people` gives it. Recall is the share of all exchanges with that
    label, so that of one category tells how much of the dissatisfaction it finds.
    """
    decided = out_of_fold(found, judged, weights).filter(pl.col("confidence") >= min_confidence)
    return {
        "n_labels": judged.height,
        "n_exchanges": judged.n_unique(REPLY),
        "n_people": judged["user_key"].n_unique(),
        "decisions": by_label(outright(decided), judged, seed),
        "miners": {miner: by_label(rows, judged, seed) for miner, rows in _groups(found, "miner")},
        "categories": {name: by_label(rows, judged, seed) for name, rows in _groups(found, "category")},
        "annotators": agreement(judged, seed),
    }


def _groups(signals: pl.DataFrame, column: str) -> Iterable[tuple[str, pl.DataFrame]]:
    return ((str(name), rows) for (name,), rows in sorted(signals.partition_by(column, as_dict=True).items()))


def by_label(rows: pl.DataFrame, judged: pl.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Precision, recall and kappa of these rows for each label they ever give."""
    return {
        label: _figures(rows.filter(label=label), judged, label, seed) for label in LABELS if label in rows["label"]
    }


def _figures(rows: pl.DataFrame, judged: pl.DataFrame, label: str, seed: int) -> dict[str, Any]:
    flags = rows.select(REPLY).unique().with_columns(flagged=True)
    table = judged.join(flags, on=REPLY, how="left", maintain_order="left").with_columns(
        pl.col("flagged").fill_null(False), true=pl.col("label") == label
    )
    return {
        "precision": share(table.filter("flagged"), "true").to_dict(),
        "recall": recall(table).to_dict(),
        "kappa": kappa(
            table["flagged"], table["true"], table["weight"], table["user_key"].to_list(), RESAMPLES, seed
        ).to_dict(),
    }


def share(table: pl.DataFrame, of: str) -> Estimate:
    """The weighted share of rows where `of` holds, with Wilson's interval over the effective number of people."""
    if table.is_empty():
        return nothing("no labelled exchange to count")
    weight = table["weight"].to_numpy()
    p = float(weight[table[of].to_numpy()].sum() / weight.sum())
    people = table.group_by("user_key", maintain_order=True).agg(pl.col("weight").sum())["weight"].to_numpy()
    n = float(people.sum() ** 2 / (people**2).sum())
    centre, spread = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = ((centre + sign * spread) / (1 + Z**2 / n) for sign in (-1, 1))
    return Estimate(p, max(0.0, low), min(1.0, high), table.height)


def recall(table: pl.DataFrame) -> Estimate:
    """The weighted share of `true` rows that are `flagged`; its interval adds up those of both parts of the table.

    With precision p among the flagged, who stand for F exchanges, and the share q missed among the U others, recall is
    pF / (pF + qU); each end is as far off as p's and q's ends that way take it, in squares. Where all or none are
    flagged there is one part, and the interval is Wilson's.
    """
    whole = share(table.filter("true"), "flagged")
    flagged, others = table.filter("flagged"), table.filter(~pl.col("flagged"))
    p, q = share(flagged, "true"), share(others, "true")
    if whole.value is None or p.value is None or q.value is None:
        return whole

    n_flagged, n_others = (float(part["weight"].to_numpy().sum()) for part in (flagged, others))

    def at(precise: float | None, missed: float | None) -> float:
        hits, misses = (precise or 0.0) * n_flagged, (missed or 0.0) * n_others
        return hits / (hits + misses) if hits else 0.0

    r = whole.value
    low = r - math.hypot(r - at(p.low, q.value), r - at(p.value, q.high))
    high = r + math.hypot(at(p.high, q.value) - r, at(p.value, q.low) - r)
    return Estimate(r, max(0.0, low), min(1.0, high), whole.n)


def agreement(judged: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Cohen's kappa of every two annotators over sat, dsat and none, on the exchanges both judged."""
    found = {}
    for one, other in combinations(sorted(judged["annotator"].unique()), 2):
        views = (judged.filter(annotator=name).select(*REPLY, "user_key", "label") for name in (one, other))
        both = next(views).join(next(views), on=REPLY, maintain_order="left")
        if both.height:
            found[f"{one} and {other}"] = _judges_kappa(both, seed).to_dict()
    return found


def _judges_kappa(both: pl.DataFrame, seed: int) -> Estimate:
    names = [*LABELS, "none"]
    ones, others = ([both[c].to_numpy() == name for name in names] for c in ("label", "label_right"))
    columns = [np.ones(both.height), both["label"].to_numpy() == both["label_right"].to_numpy(), *ones, *others]

    def of_sums(sums: Array) -> Array:
        shares = sums / sums[:, :1]
        chance = (shares[:, 2:5] * shares[:, 5:8]).sum(axis=1)
        agreed: NDArray[np.float64] = (shares[:, 1] - chance) / (1 - chance)
        return agreed

    return statistic(columns, of_sums, both["user_key"].to_list(), RESAMPLES, seed)


def out_of_fold(found: pl.DataFrame, judged: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Decisions on the judged exchanges by weights refitted without the labels of the same people, in `FOLDS` parts.

    Measured on decisions whose weights saw the answers, accuracy would flatter.
    """
    people = judged["user_key"].unique().sort()
    fold_of = dict(zip(people, (i % FOLDS for i in range(len(people))), strict=True))
    folds = judged.with_columns(fold=pl.col("user_key").replace_strict(fold_of, return_dtype=pl.Int64))
    return pl.concat(
        decide(
            found.join(folds.filter(fold=fold), on=REPLY, how="semi"),
            refit(found, folds.filter(pl.col("fold") != fold), weights),
        )
        for fold in range(FOLDS)
    )


def require(figures: Mapping[str, Any], min_precision: Mapping[str, float | None]) -> None:
    """Raise `DataError` where the labels cannot show that decisions are as precise as `mine.min_precision` asks.

    It is the lower end of the interval that must reach it: three right out of three show little.
    """
    faults = []
    for label, least in min_precision.items():
        found = figures["decisions"].get(label, {}).get("precision")
        if least is None or found is None or found["value"] is None:
            continue
        if found["low"] < least:
            faults.append(
                f"precision of '{label}' is {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}] on "
                f"{found['n']} labelled exchanges, mine.min_precision asks for {least:g}"
            )
    if faults:
        raise DataError(
            "; ".join(faults) + "; no pairs are built on this feedback. Where the interval is wide, label more "
            "(`turnabout label`); where the value is low, raise mine.min_confidence or leave out the miner that "
            "metrics/mine.json shows to be wrong; null in mine.min_precision builds on it all the same"
        )
