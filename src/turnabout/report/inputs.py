"""All that the page is made of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.config import Count, Section

#: Columns of the plot data the page draws.
USER_CURVE = pl.Schema({"step": pl.Int64, "loss": pl.Float64, "learning_rate": pl.Float64, "tokens": pl.Int64})
ASSISTANT_CURVE = pl.Schema({"step": pl.Int64, "loss": pl.Float64, "accuracy": pl.Float64, "margin": pl.Float64})
BY_TURN = pl.Schema(
    {
        "model": pl.String,
        "intent": pl.String,
        "turn": pl.Int64,
        "bits_per_character": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "n": pl.Int64,
    }
)

Metrics = Mapping[str, Any]


class Report(Section):
    examples: Count
    """Example exchanges shown per kind of feedback, and conversations per assistant."""


class Inputs(NamedTuple):
    """Tables, metrics and plot data of one run. Mappings per arm have every arm of `params.yaml`, in its order.

    Metrics that no stage has written are empty mappings: what depends on them is shown as not measured.
    """

    arms: Mapping[str, str]
    """What each arm's pairs were built with, as `reads` in `params.yaml`: a table, or the model that scored."""
    examples: int
    ingest_quarantine: pl.DataFrame
    clean_quarantine: pl.DataFrame
    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    """Decisions alone: at most one row per reply."""
    intents: pl.DataFrame
    critiques: pl.DataFrame
    rationales: pl.DataFrame
    pairs: Mapping[str, pl.DataFrame]
    rollouts: Mapping[str, pl.DataFrame]
    """By assistant: `untrained` first, then every arm."""
    metrics: Mapping[str, Metrics]
    """By stage, as the files are named: `ingest`, `user`, `build_pairs/<arm>`, …"""
    user_curve: pl.DataFrame
    assistant_curves: Mapping[str, pl.DataFrame]
    by_turn: pl.DataFrame

    @property
    def assistants(self) -> list[str]:
        """Everyone who answers: the backbone as it comes, then every arm."""
        return ["untrained", *self.arms]
