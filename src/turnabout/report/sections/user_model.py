"""The user model: how well it predicts people it has never met, how it learned, and whether it knows when to leave."""

from typing import Any

import polars as pl

from turnabout.report.charts import Dot, bands, curves, intervals
from turnabout.report.figures import figure, shown
from turnabout.report.inputs import Inputs, Metrics
from turnabout.report.user_table import rows

MODELS = {"trained": "trained user model", "untrained": "untrained backbone"}

#: Who plays the user: the backbone is there as the assistant it is, told to act as one.
PLAYERS = {"trained": "trained user model", "prompted": "prompted assistant"}
INTENTS = {"with_intent": "told what the person wants", "without_intent": "told nothing"}


def context(inputs: Inputs) -> dict[str, Any]:
    """Charts (None where nothing was measured), tables of prediction, of leaving and of all metrics, what it read."""
    user = inputs.metrics.get("user", {})
    return {
        "user": user,
        "training": inputs.metrics.get("train_user", {}),
        "intend": inputs.metrics.get("intend", {}),
        "intents": intents(inputs),
        "saved": {intent: figure(user, "bits_per_character_saved", intent) for intent in INTENTS},
        "bits_chart": bits_chart(user),
        "turn_chart": turn_chart(inputs.by_turn),
        "curve": curve(inputs.user_curve),
        "prediction": prediction(user),
        "leaving": leaving(user),
        "table": rows(user, list(PLAYERS)),
        "players": PLAYERS,
        "intent_words": INTENTS,
    }


def intents(inputs: Inputs) -> list[dict[str, Any]]:
    """The first intents a model wrote, as examples."""
    return inputs.intents.filter(pl.col("model") != "fallback").head(inputs.examples).to_dicts()


def bits_chart(user: Metrics) -> Any:
    """Bits per character, trained above untrained, with and without intent; None where nothing was measured."""
    rows = [
        Dot(f"{model}\n{told}", figure(user, "bits_per_character", name, intent), series)
        for intent, told in INTENTS.items()
        for series, (name, model) in enumerate(MODELS.items())
    ]
    measured = [row for row in rows if row.figure.value is not None]
    if not measured:
        return None
    told = "; ".join(f"{row.label}: {shown(row.figure)}".replace("\n", ", ") for row in measured)
    return intervals("bits", f"Bits per character. {told}", measured, "bits per character (fewer is better)")


def turn_chart(by_turn: pl.DataFrame) -> Any:
    """Bits per character by the user's message, told the intent, with intervals; None where nothing was measured."""
    told = by_turn.filter(pl.col("intent") == "with_intent").drop_nulls("bits_per_character").sort("turn")
    lines = {words: points for name, words in MODELS.items() if (points := told.filter(model=name)).height}
    if not lines:
        return None
    alt = "Bits per character by message. " + "; ".join(
        f"{words}: from {points['bits_per_character'][0]:.2f} at message {points['turn'][0]} "
        f"to {points['bits_per_character'][-1]:.2f} at message {points['turn'][-1]}"
        for words, points in lines.items()
    )
    return bands("turns", alt, lines, "turn", "bits_per_character", ("the person's message", "bits per character"))


def curve(points: pl.DataFrame) -> Any:
    """Training loss by step; None before the first step."""
    steps = points.drop_nulls("loss")
    if steps.is_empty():
        return None
    alt = f"Training loss from {steps['loss'][0]:.2f} to {steps['loss'][-1]:.2f} in {steps.height} steps"
    return curves("user-loss", alt, {"loss": steps}, "loss", ("step", "loss, nats per token"))


def prediction(user: Metrics) -> list[dict[str, Any]]:
    """One row per model and intent: bits per character and perplexity per token."""
    return [
        {
            "model": model,
            "told": told,
            "bits": figure(user, "bits_per_character", name, intent),
            "perplexity": figure(user, "perplexity", name, intent),
        }
        for intent, told in INTENTS.items()
        for name, model in MODELS.items()
    ]


def leaving(user: Metrics) -> list[dict[str, Any]]:
    """One row per player: precision, recall and F1 of ending the conversation where the person ended it."""
    return [
        {"model": model, **{part: figure(user, "termination", name, part) for part in ("precision", "recall", "f1")}}
        for name, model in PLAYERS.items()
    ]
