"""The inputs of the page, and its section of params.yaml."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from turnabout.core.config import Count, Section

#: Columns of the plot data that the page draws.
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
    """Section `report` of params.yaml."""

    examples: Count
    """Number of example exchanges per kind of feedback, and of conversations per assistant."""


class Inputs(NamedTuple):
    """Tables, metrics and plot data of one run.

    Mappings by arm have every arm of `params.yaml`, in its order. Metrics that no stage has written are empty mappings:
    what depends on them is shown as not measured.
    """

    arms: Mapping[str, str]
    """The input that each arm's pairs were built from, as `reads` in `params.yaml`: a table or a scoring model."""
    examples: int
    """As `Report.examples`."""
    ingest_quarantine: pl.DataFrame
    clean_quarantine: pl.DataFrame
    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    """Decisions only: at most one row per reply."""
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
    def names_people(self) -> bool:
        """Whether the log names the people in it.

        If not, each conversation counts as a person of its own.
        """
        return bool(self.metrics.get("split", {}).get("names_people", True))

    @property
    def assistants(self) -> list[str]:
        """All assistants: the untrained backbone, then every arm."""
        return ["untrained", *self.arms]
