"""Preference pairs: how many each arm built and kept, examples with their evidence, and what training on them did."""

from typing import Any

import polars as pl

from turnabout.report.charts import curves
from turnabout.report.figures import figure
from turnabout.report.inputs import Inputs

#: What an arm reads whose pairs are built from criticised replies.
CRITIQUES = "data/critiques.parquet"

#: What the reward model was measured on.
REWARD_ACCURACIES = ("train_accuracy", "validation_accuracy")


def context(inputs: Inputs) -> dict[str, Any]:
    """One entry per arm, and the training curves of all of them (None before the first step)."""
    return {"arms": [arm(inputs, name) for name in inputs.arms], "curve": curve(inputs)}


def arm(inputs: Inputs, name: str) -> dict[str, Any]:
    """Yield, training, reward model and example pairs of one arm."""
    built = inputs.pairs[name]
    dropped = built.filter(~pl.col("keep")).group_by("reason").len().sort("len", "reason", descending=[True, False])
    return {
        "name": name,
        "n": built.height,
        "kept": built["keep"].sum(),
        "by_split": dict(built.filter("keep").group_by("split").len().sort("split").iter_rows()),
        "dropped": dict(dropped.iter_rows()),
        "criticised": criticised(inputs, name),
        "margin": built.filter("keep")["margin"].mean(),
        "training": inputs.metrics.get(f"train_assistant/{name}", {}),
        "reward": {part: figure(inputs.metrics, f"train_reward/{name}", part) for part in REWARD_ACCURACIES},
        "examples": examples(built, max(1, inputs.examples // 2)),
    }


def criticised(inputs: Inputs, name: str) -> dict[str, int] | None:
    """Criticised replies that an arm built a pair on, and those with a kept critique; None where it reads no critiques.

    The other replies were improved on by what the person said alone.
    """
    if inputs.arms[name] != CRITIQUES:
        return None
    reply = ["conversation_id", "reply_index"]
    replies = inputs.pairs[name].unique(reply)
    return {"n": replies.height, "kept": replies.join(inputs.critiques.filter("kept"), on=reply, how="semi").height}


def examples(built: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    """The kept pairs with the widest margin, else the heaviest: one per conversation, as far as there are enough."""
    kept = built.filter("keep").with_columns(strength=pl.col("margin").fill_null(pl.col("weight")))
    ranked = kept.sort("strength", "pair_id", descending=[True, False], nulls_last=True)
    return ranked.sort(pl.int_range(pl.len()).over("conversation_id"), maintain_order=True).head(most).to_dicts()


def curve(inputs: Inputs) -> Any:
    """Training loss by step, one line per arm."""
    lines = {name: points.drop_nulls("loss") for name, points in inputs.assistant_curves.items()}
    lines = {name: points for name, points in lines.items() if points.height}
    if not lines:
        return None
    told = "; ".join(f"{name}: {points['loss'][0]:.2f} to {points['loss'][-1]:.2f}" for name, points in lines.items())
    return curves("arm-loss", f"Training loss by arm. {told}", lines, "loss", ("step", "preference loss"))
