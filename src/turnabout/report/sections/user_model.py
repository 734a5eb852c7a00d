"""The user model: how well it predicts people it has never met, how it learned, and whether it knows when to leave."""

from typing import Any

import polars as pl

from turnabout.report.charts import Dot, draw_bands, draw_curves, draw_intervals
from turnabout.report.figures import read_figure, format_estimate
from turnabout.report.inputs import Inputs, Metrics
from turnabout.report.user_table import build_rows

MODELS = {"trained": "trained user model", "untrained": "untrained backbone"}

#: Who plays the user: the backbone is there as the assistant it is, told to act as one.
PLAYERS = {"trained": "trained user model", "prompted": "prompted assistant"}
INTENTS = {"with_intent": "told what the person wants", "without_intent": "told nothing"}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Charts (None where nothing was measured), tables of prediction, of leaving and of all metrics, what it read."""
    user = inputs.metrics.get("user", {})
    return {
        "user": user,
        "training": inputs.metrics.get("train_user", {}),
        "intend": inputs.metrics.get("intend", {}),
        "intents": select_intents(inputs),
        "saved": {intent: read_figure(user, "bits_per_character_saved", intent) for intent in INTENTS},
        "bits_chart": draw_bits(user),
        "turn_chart": draw_bits_by_turn(inputs.by_turn),
        "curve": draw_loss(inputs.user_curve),
        "prediction": list_predictions(user),
        "leaving": list_terminations(user),
        "table": build_rows(user, list(PLAYERS)),
        "players": PLAYERS,
        "intent_words": INTENTS,
    }


def select_intents(inputs: Inputs) -> list[dict[str, Any]]:
    """The first intents a model wrote, as examples."""
    return inputs.intents.filter(pl.col("model") != "fallback").head(inputs.examples).to_dicts()


def draw_bits(user: Metrics) -> Any:
    """Bits per character, trained above untrained, with and without intent; None where nothing was measured."""
    rows = [
        Dot(f"{model}\n{told}", read_figure(user, "bits_per_character", name, intent), series)
        for intent, told in INTENTS.items()
        for series, (name, model) in enumerate(MODELS.items())
    ]
    measured = [row for row in rows if row.figure.value is not None]
    if not measured:
        return None
    told = "; ".join(f"{row.label}: {format_estimate(row.figure)}".replace("\n", ", ") for row in measured)
    return draw_intervals("bits", f"Bits per character. {told}", measured, "bits per character (fewer is better)")


def draw_bits_by_turn(by_turn: pl.DataFrame) -> Any:
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
    return draw_bands("turns", alt, lines, "turn", "bits_per_character", ("the person's message", "bits per character"))


def draw_loss(points: pl.DataFrame) -> Any:
    """Training loss by step; None before the first step."""
    steps = points.drop_nulls("loss")
    if steps.is_empty():
        return None
    alt = f"Training loss from {steps['loss'][0]:.2f} to {steps['loss'][-1]:.2f} in {steps.height} steps"
    return draw_curves("user-loss", alt, {"loss": steps}, "loss", ("step", "loss, nats per token"))


def list_predictions(user: Metrics) -> list[dict[str, Any]]:
    """One row per model and intent: bits per character and perplexity per token."""
    return [
        {
            "model": model,
            "told": told,
            "bits": read_figure(user, "bits_per_character", name, intent),
            "perplexity": read_figure(user, "perplexity", name, intent),
        }
        for intent, told in INTENTS.items()
        for name, model in MODELS.items()
    ]


def list_terminations(user: Metrics) -> list[dict[str, Any]]:
    """One row per player: precision, recall and F1 of ending the conversation where the person ended it."""
    return [
        {"model": model, **{part: read_figure(user, "termination", name, part) for part in ("precision", "recall", "f1")}}
        for name, model in PLAYERS.items()
    ]
