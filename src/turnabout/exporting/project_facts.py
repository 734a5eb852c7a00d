"""The facts that a project knows about its user model.

Base, logs, filters and estimates are read from the outputs of the stages.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.core.io import list_part_files, read_frame, read_json
from turnabout.intents.flipping import MIRROR
from turnabout.params import load_params


class TrainingWindow(NamedTuple):
    """The conversations of the train split, and their first and last day.

    The days are None if the logs have no times.
    """

    n_conversations: int
    n_people: int
    first: date | None
    last: date | None


class NamedEstimate(NamedTuple):
    """One value of `metrics/user.json` with its 95 % interval.

    `n` is the number of items that it was measured on.
    """

    name: str
    value: float
    low: float
    high: float
    n: int


class ProjectFacts(NamedTuple):
    """The facts on a card; those that no stage has written are None or empty."""

    base: Mapping[str, Any]
    formats: list[str]
    settings: Mapping[str, Any]
    window: TrainingWindow | None
    intents: Mapping[str, Any]
    trained: Mapping[str, Any]
    estimates: list[NamedEstimate]
    names_people: bool
    """Whether the logs name the people in them; if not, the splits are by conversation."""


def gather_facts(root: Path) -> ProjectFacts:
    """Return the facts of the project at `root`.

    Of the sources of the logs, only the formats are included, so that no address leaves the project.
    """
    params = load_params(root / "params.yaml")
    settings = {
        name: getattr(params, name).model_dump(mode="json") for name in ("clean", "split", "flip", "train_user")
    }
    return ProjectFacts(
        base=_read_json_if_present(root / "models/backbone/manifest.json"),
        formats=sorted({source.format for source in params.ingest.sources}),
        settings=settings,
        window=_measure_training_window(root / "data"),
        intents=_read_json_if_present(root / "metrics/intend.json"),
        trained=_read_json_if_present(root / "metrics/train_user.json"),
        estimates=list(_iterate_estimates(_read_json_if_present(root / "metrics/user.json"))),
        names_people=_read_json_if_present(root / "metrics/split.json").get("names_people", True),
    )


def _read_json_if_present(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _measure_training_window(data: Path) -> TrainingWindow | None:
    """Return the window of the train split, the only one that was learnt from."""
    if not (data / "user_samples.parquet").exists() or not (data / "messages").exists():
        return None
    samples = (
        read_frame(data / "user_samples.parquet", schemas.USER_SAMPLES)
        .filter(split="train")
        .select("user_key", conversation_id=pl.col("conversation_id").str.strip_suffix(MIRROR))
    )
    days = (
        pl.scan_parquet(list_part_files(data / "messages"))
        .join(samples.lazy().unique("conversation_id"), on="conversation_id", how="semi")
        .select(first=pl.col("at").min().dt.date(), last=pl.col("at").max().dt.date())
        .collect()
    )
    first, last = days.row(0)
    return TrainingWindow(
        n_conversations=samples["conversation_id"].n_unique(),
        n_people=samples["user_key"].drop_nulls().n_unique(),
        first=first,
        last=last,
    )


def _iterate_estimates(metrics: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[NamedEstimate]:
    """Yield every value with an interval, at any depth; its name is its path."""
    for key, entry in metrics.items():
        if not isinstance(entry, Mapping):
            continue
        if {"value", "low", "high", "n"} <= entry.keys():
            if None not in (entry["value"], entry["low"], entry["high"]):
                name = ", ".join((*path, key)).replace("_", " ")
                yield NamedEstimate(name, value=entry["value"], low=entry["low"], high=entry["high"], n=entry["n"])
        else:
            yield from _iterate_estimates(entry, (*path, key))
