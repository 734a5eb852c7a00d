"""Section "Preference pairs": yield, quality and training of each arm."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY
from turnabout.report.charts import draw_curves, draw_histogram
from turnabout.report.figures import format_count, format_number, read_figure
from turnabout.report.inputs import Inputs
from turnabout.report.reasons import group_reasons

#: `reads` of an arm whose pairs are built from criticised replies.
CRITIQUES = "data/critiques.parquet"

#: Figures of the reward model.
REWARD_ACCURACIES = ("train_accuracy", "validation_accuracy")

#: Measures of pairs, and what their numbers mean.
MEASURES = {
    "margin": "margin, on the scale of what built the pairs",
    "strength_mean": "strength: chosen minus rejected, by reward heads that never saw the pair",
    "difficulty": "difficulty: nats by which the policy, before training, prefers the rejected reply",
    "ches": "CHES: how similar the policy finds both replies",
}

#: Measures whose distribution is drawn; the first one that an arm has is taken.
DRAWN_MEASURES = {"strength_mean": "strength", "margin": "margin"}

#: Number of arms from which on the details of each arm are folded up.
MIN_FOLDED_ARMS = 4


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return one entry per arm, and the training curves of all.

    `has_people` says whether any arm's pairs can be compared with the choices of people.
    """
    arms = [summarise_arm(inputs, name) for name in inputs.arms]
    has_people = any(arm["people"]["kappa"].value is not None for arm in arms)
    return {
        "arms": arms,
        "has_people": has_people,
        "folded": len(arms) >= MIN_FOLDED_ARMS,
        "loss_chart": draw_losses(inputs),
    }


def summarise_arm(inputs: Inputs, name: str) -> dict[str, Any]:
    """Return yield, quality, training, reward model and examples of one arm."""
    built, metrics = inputs.pairs[name], inputs.metrics.get(f"build_pairs/{name}", {})
    kept = built.filter("keep")
    return {
        "name": name,
        "n": built.height,
        "kept": kept.height,
        "by_split": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "outcomes": count_outcomes(built),
        "changed": {row["reason"]: row["n"] for row in count_reasons(kept)},
        "criticised": count_critiques(inputs, name),
        "longer": read_figure(metrics, "lengths", "chosen_is_longer"),
        "longer_by": (metrics.get("lengths") or {}).get("median_difference"),
        "wrong_before": metrics.get("ranked_wrongly_before_training"),
        "people": {part: read_figure(metrics, "people", part) for part in ("agreement", "kappa")},
        "strength": describe_strength(metrics.get("strength")),
        "measures": [{"label": label, **metrics[key]} for key, label in MEASURES.items() if metrics.get(key)],
        "distribution": draw_distribution(name, kept),
        "training": inputs.metrics.get(f"train_assistant/{name}", {}),
        "reward": {part: read_figure(inputs.metrics, f"train_reward/{name}", part) for part in REWARD_ACCURACIES},
        "examples": select_pairs(built, max(1, inputs.examples // 2)),
    }


def count_outcomes(built: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what became of the candidates, with shares for bars.

    The kept ones come first, then one entry per group of drop reasons with the first pair that has it.
    """
    if built.is_empty():
        return []
    kept = {"outcome": "kept", "n": int(built["keep"].sum()), "first": None}
    dropped = [
        {"outcome": f"dropped: {row['reason']}", "n": row["n"], "first": row["first"]}
        for row in count_reasons(built.filter(~pl.col("keep")))
    ]
    return [{**outcome, "share": outcome["n"] / built.height} for outcome in (kept, *dropped)]


def count_reasons(pairs: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one entry per group of reasons, most frequent first.

    An entry has the reason, the number of pairs and the id of the first of them.
    """
    with_reason = pairs.drop_nulls("reason").sort("pair_id")
    groups = group_reasons(with_reason["reason"].unique())
    return (
        with_reason.group_by(reason=pl.col("reason").replace(groups))
        .agg(n=pl.len(), first=pl.col("pair_id").first())
        .sort("n", "reason", descending=[True, False])
        .to_dicts()
    )


def describe_strength(report: Mapping[str, Any] | None) -> str | None:
    """Say how good the reward heads are, and which labels they doubt.

    Returns None if the strength was not measured.
    """
    if report is None:
        return None
    agreement = read_figure(report, "agreement_with_unseen_pairs").value
    heads = "" if agreement is None else f"its heads agree with {format_number(100 * agreement)} % of unseen pairs; "
    if "reason" in report:
        return f"{heads}nothing was changed: {report['reason']}"
    wrong = format_count(report["n_wrong"], "label was", "labels were")
    return f"{heads}{wrong} classified as wrong, {format_number(report['n_ambiguous'])} as ambiguous"


def draw_distribution(name: str, kept: pl.DataFrame) -> Any:
    """Draw the distribution of strength, or else of the margin.

    Returns None if fewer than two kept pairs have one.
    """
    for column, label in DRAWN_MEASURES.items():
        values = kept[column].drop_nulls().to_list()
        if len(values) > 1:
            ends = f"from {format_number(min(values))} to {format_number(max(values))}"
            alt = f"Kept pairs of {name} by {label}: {len(values)} {ends}"
            return draw_histogram(f"pairs-{name.replace('_', '-')}", alt, values, (label, "pairs"))
    return None


def count_critiques(inputs: Inputs, name: str) -> dict[str, int] | None:
    """Return how many of an arm's criticised replies have a kept critique.

    `n` counts the replies. The other replies were improved with the person's follow-up only. Returns None for an arm
    that reads no critiques.
    """
    if inputs.arms[name] != CRITIQUES:
        return None
    replies = inputs.pairs[name].unique(REPLY_KEY)
    with_critique = replies.join(inputs.critiques.filter("kept"), on=REPLY_KEY, how="semi")
    return {"n": replies.height, "kept": with_critique.height}


def select_pairs(built: pl.DataFrame, max_pairs: int) -> list[dict[str, Any]]:
    """Return the kept pairs with the largest margin as examples.

    Pairs without a margin are ranked by their weight. There is one pair per conversation while there are enough.
    """
    kept = built.filter("keep").with_columns(strength=pl.col("margin").fill_null(pl.col("weight")))
    ranked = kept.sort("strength", "pair_id", descending=[True, False], nulls_last=True)
    return ranked.sort(pl.int_range(pl.len()).over("conversation_id"), maintain_order=True).head(max_pairs).to_dicts()


def draw_losses(inputs: Inputs) -> Any:
    """Draw the training loss by step, one line per arm."""
    lines = {name: points.drop_nulls("loss") for name, points in inputs.assistant_curves.items()}
    lines = {name: points for name, points in lines.items() if points.height}
    if not lines:
        return None
    listed = "; ".join(f"{name}: {points['loss'][0]:.2f} to {points['loss'][-1]:.2f}" for name, points in lines.items())
    alt = f"Training loss by arm. {listed}"
    return draw_curves("arm-loss", alt, lines, y="loss", axis_labels=("step", "preference loss"))
