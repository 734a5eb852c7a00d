"""Section "The user model": how well it predicts and plays held-out people."""

from typing import Any

import polars as pl

from turnabout.report.charts import Dot, draw_bands, draw_curves, draw_intervals
from turnabout.report.figures import format_estimate, read_figure
from turnabout.report.inputs import Inputs, Metrics
from turnabout.report.user_table import build_rows

MODELS = {"trained": "trained user model", "untrained": "untrained backbone"}

#: Models that play the user. The prompted assistant is the untrained backbone with an instruction to act as a user.
PLAYERS = {"trained": "trained user model", "prompted": "prompted assistant"}
INTENTS = {"with_intent": "with the intent", "without_intent": "without the intent"}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the charts, the tables and the example intents.

    The tables are of prediction, of termination and of all metrics. A chart is None where nothing was measured.
    """
    user = inputs.metrics.get("user", {})
    return {
        "user": user,
        "training": inputs.metrics.get("train_user", {}),
        "intend": inputs.metrics.get("intend", {}),
        "intents": select_intents(inputs),
        "saved": {intent: read_figure(user, "bits_per_character_saved", intent) for intent in INTENTS},
        "bits_chart": draw_bits(user),
        "turn_chart": draw_bits_by_turn(inputs.by_turn),
        "loss_chart": draw_loss(inputs.user_curve),
        "predictions": list_predictions(user),
        "terminations": list_terminations(user),
        "table_of_metrics": build_rows(user, list(PLAYERS)),
        "players": PLAYERS,
        "intent_labels": INTENTS,
    }


def select_intents(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the first intents that a model wrote, as examples."""
    return inputs.intents.filter(pl.col("model") != "fallback").head(inputs.examples).to_dicts()


def draw_bits(user: Metrics) -> Any:
    """Draw bits per character by model, with and without the intent.

    Returns None where nothing was measured.
    """
    dots = []
    for intent, intent_label in INTENTS.items():
        for series, (name, model) in enumerate(MODELS.items()):
            bits = read_figure(user, "bits_per_character", name, intent)
            if bits.value is not None:
                dots.append(Dot(f"{model}\n{intent_label}", bits, series))
    if not dots:
        return None
    listed = "; ".join(f"{dot.label}: {format_estimate(dot.figure)}".replace("\n", ", ") for dot in dots)
    return draw_intervals("bits", f"Bits per character. {listed}", dots, "bits per character (fewer is better)")


def draw_bits_by_turn(by_turn: pl.DataFrame) -> Any:
    """Draw bits per character, with the intent, by the user's message.

    Returns None where nothing was measured.
    """
    measured = by_turn.filter(pl.col("intent") == "with_intent").drop_nulls("bits_per_character").sort("turn")
    lines = {label: points for name, label in MODELS.items() if (points := measured.filter(model=name)).height}
    if not lines:
        return None
    alt = "Bits per character by message. " + "; ".join(
        f"{label}: from {points['bits_per_character'][0]:.2f} at message {points['turn'][0]} "
        f"to {points['bits_per_character'][-1]:.2f} at message {points['turn'][-1]}"
        for label, points in lines.items()
    )
    axis_labels = ("the person's message", "bits per character")
    return draw_bands("turns", alt, lines, x="turn", y="bits_per_character", axis_labels=axis_labels)


def draw_loss(points: pl.DataFrame) -> Any:
    """Draw the training loss by step; return None before the first step."""
    steps = points.drop_nulls("loss")
    if steps.is_empty():
        return None
    alt = f"Training loss from {steps['loss'][0]:.2f} to {steps['loss'][-1]:.2f} in {steps.height} steps"
    return draw_curves("user-loss", alt, {"loss": steps}, y="loss", axis_labels=("step", "loss, nats per token"))


def list_predictions(user: Metrics) -> list[dict[str, Any]]:
    """Return bits per character and perplexity, by intent and model."""
    rows = []
    for intent, intent_label in INTENTS.items():
        for name, model in MODELS.items():
            bits = read_figure(user, "bits_per_character", name, intent)
            perplexity = read_figure(user, "perplexity", name, intent)
            rows.append({"model": model, "intent": intent_label, "bits": bits, "perplexity": perplexity})
    return rows


def list_terminations(user: Metrics) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of predicting the end, by player.

    A prediction is right where the person really ended the conversation.
    """
    rows: list[dict[str, Any]] = []
    for name, model in PLAYERS.items():
        figures = {part: read_figure(user, "termination", name, part) for part in ("precision", "recall", "f1")}
        rows.append({"model": model, **figures})
    return rows
