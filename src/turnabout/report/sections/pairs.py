"""Preference pairs: what became of each arm's candidates, how good the kept ones are, and what training on them did."""

from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY
from turnabout.report.charts import draw_curves, draw_histogram
from turnabout.report.figures import format_count, read_figure, format_number
from turnabout.report.inputs import Inputs

#: What an arm reads whose pairs are built from criticised replies.
CRITIQUES = "data/critiques.parquet"

#: What the reward model was measured on.
REWARD_ACCURACIES = ("train_accuracy", "validation_accuracy")

#: Measures of pairs, and what their numbers are.
MEASURES = {
    "margin": "margin, on the scale of what built the pairs",
    "strength_mean": "strength: chosen minus rejected, by reward heads that never saw the pair",
    "difficulty": "difficulty: nats by which the policy, before training, prefers the rejected reply",
    "ches": "CHES: how alike the policy finds both replies",
}

#: Measures whose spread is drawn: the first of them that an arm has.
DRAWN = {"strength_mean": "strength", "margin": "margin"}

#: From this many arms on, what is told of each is folded up.
MANY = 4


def build_context(inputs: Inputs) -> dict[str, Any]:
    """One entry per arm, whether anybody's preferences can be held against any, and the training curves of all."""
    arms = [summarise_arm(inputs, name) for name in inputs.arms]
    someone = any(told["people"]["kappa"].value is not None for told in arms)
    return {"arms": arms, "someone": someone, "folded": len(arms) >= MANY, "curve": draw_losses(inputs)}


def summarise_arm(inputs: Inputs, name: str) -> dict[str, Any]:
    """Yield, quality, training, reward model and example pairs of one arm."""
    built, told = inputs.pairs[name], inputs.metrics.get(f"build_pairs/{name}", {})
    kept = built.filter("keep")
    return {
        "name": name,
        "n": built.height,
        "kept": kept.height,
        "by_split": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "fates": count_outcomes(built),
        "changed": count_reasons(kept),
        "criticised": count_critiques(inputs, name),
        "longer": read_figure(told, "lengths", "chosen_is_longer"),
        "longer_by": (told.get("lengths") or {}).get("median_difference"),
        "wrong_before": told.get("ranked_wrongly_before_training"),
        "people": {part: read_figure(told, "people", part) for part in ("agreement", "kappa")},
        "strength": describe_strength(told.get("strength")),
        "measures": [{"told": words, **told[key]} for key, words in MEASURES.items() if told.get(key)],
        "spread": draw_spread(name, kept),
        "training": inputs.metrics.get(f"train_assistant/{name}", {}),
        "reward": {part: read_figure(inputs.metrics, f"train_reward/{name}", part) for part in REWARD_ACCURACIES},
        "examples": select_pairs(built, max(1, inputs.examples // 2)),
    }


def count_outcomes(built: pl.DataFrame) -> list[dict[str, Any]]:
    """What became of the candidates, as bars: kept ones first, then one row per kind of reason to drop them."""
    counts = {"kept": int(built["keep"].sum()), **count_reasons(built.filter(~pl.col("keep")))}
    return [{"fate": fate, "n": n, "share": n / built.height} for fate, n in counts.items()] if built.height else []


def count_reasons(pairs: pl.DataFrame) -> dict[str, int]:
    """How many of these pairs there are of each kind of reason (what stands before its colon), most frequent first."""
    kind = pairs.drop_nulls("reason").group_by(kind=pl.col("reason").str.split(": ").list.first()).len()
    return dict(kind.sort("len", "kind", descending=[True, False]).iter_rows())


def describe_strength(told: dict[str, Any] | None) -> str | None:
    """What the ensemble was worth and what it found, in a sentence; None where nobody asked for it."""
    if told is None:
        return None
    agreed = read_figure(told, "agreement_with_unseen_pairs")
    heads = "" if agreed.value is None else f"its heads agree with {format_number(100 * agreed.value)} % of unseen pairs; "
    if "reason" in told:
        return f"{heads}nothing was done: {told['reason']}"
    wrong = format_count(told["n_wrong"], "label", "labels")
    return f"{heads}{wrong} taken to be wrong, {format_number(told['n_ambiguous'])} to be ambiguous"


def draw_spread(name: str, kept: pl.DataFrame) -> Any:
    """How strength, or else the margin, is spread over the kept pairs; None where fewer than two have one."""
    for column, word in DRAWN.items():
        values = kept[column].drop_nulls().to_list()
        if len(values) > 1:
            told = f"Kept pairs of {name} by {word}: {len(values)} from {format_number(min(values))} to {format_number(max(values))}"
            return draw_histogram(f"pairs-{name.replace('_', '-')}", told, values, (word, "pairs"))
    return None


def count_critiques(inputs: Inputs, name: str) -> dict[str, int] | None:
    """Criticised replies that an arm built a pair on, and those with a kept critique; None where it reads no critiques.

    The other replies were improved on by what the person said alone.
    """
    if inputs.arms[name] != CRITIQUES:
        return None
    replies = inputs.pairs[name].unique(REPLY_KEY)
    return {"n": replies.height, "kept": replies.join(inputs.critiques.filter("kept"), on=REPLY_KEY, how="semi").height}


def select_pairs(built: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    """The kept pairs with the widest margin, else the heaviest: one per conversation, as far as there are enough."""
    kept = built.filter("keep").with_columns(strength=pl.col("margin").fill_null(pl.col("weight")))
    ranked = kept.sort("strength", "pair_id", descending=[True, False], nulls_last=True)
    return ranked.sort(pl.int_range(pl.len()).over("conversation_id"), maintain_order=True).head(most).to_dicts()


def draw_losses(inputs: Inputs) -> Any:
    """Training loss by step, one line per arm."""
    lines = {name: points.drop_nulls("loss") for name, points in inputs.assistant_curves.items()}
    lines = {name: points for name, points in lines.items() if points.height}
    if not lines:
        return None
    told = "; ".join(f"{name}: {points['loss'][0]:.2f} to {points['loss'][-1]:.2f}" for name, points in lines.items())
    return draw_curves("arm-loss", f"Training loss by arm. {told}", lines, "loss", ("step", "preference loss"))
