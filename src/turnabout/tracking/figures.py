"""Parameters, metrics and curves of a stage as the flat names and numbers MLflow wants."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from turnabout.core.io import read_json
from turnabout.pipeline.repro import Plot, Stage

#: name → (step, value) pairs
Curves = dict[str, list[tuple[int, float]]]


def flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings (and lists of mappings) with dotted names: `{"a": {"b": 1}}` → `{"a.b": 1}`."""
    if isinstance(content, Mapping):
        entries = content.items()
    elif isinstance(content, Sequence) and content and all(isinstance(entry, Mapping) for entry in content):
        entries = {str(index): entry for index, entry in enumerate(content)}.items()
    else:
        return {prefix: content}
    return {name: value for key, entry in entries for name, value in flat(entry, f"{prefix}.{key}".strip(".")).items()}


def stage_params(root: Path, keys: Sequence[str]) -> dict[str, Any]:
    """The values of these dotted keys in `params.yaml`, flattened."""
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return {name: value for key in keys for name, value in flat(_at(params, key), key).items()}


def numbers(content: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a metrics file by dotted name; an estimate `{value, low, high}` lends its bare name to the value.

    Text and null (a figure that could not be measured) are left out.
    """
    named = {re.sub(r"[^\w\-./ ]", "_", name): value for name, value in flat(content).items()}
    kept = {name: float(value) for name, value in named.items() if isinstance(value, int | float)}
    return {name.removesuffix(".value"): value for name, value in kept.items()}


def stage_metrics(root: Path, paths: Sequence[str]) -> dict[str, float]:
    """The numbers of a stage's metrics files; with several files each name starts with its file's."""
    found = {Path(path).stem: numbers(read_json(root / path)) for path in paths if (root / path).exists()}
    if len(paths) == 1:
        return dict(*found.values())
    return {f"{stem}.{name}": value for stem, metrics in found.items() for name, value in metrics.items()}


def stage_curves(root: Path, stage: Stage) -> Curves:
    """The curves of a stage's plots, one for each value of a plot's text columns (`bits_per_character.trained`)."""
    curves: Curves = {}
    for plot in stage.plots:
        if (root / plot.path).exists():
            curves.update(_curves(root / plot.path, plot))
    return curves


def _curves(path: Path, plot: Plot) -> Curves:
    import polars as pl
    import polars.selectors as cs

    points = pl.read_csv(path).drop_nulls([plot.x, plot.y])
    if points.is_empty():
        return {}
    kinds = pl.concat_str(pl.lit(plot.y), cs.string().exclude(plot.x, plot.y), separator=".", ignore_nulls=True)
    named = points.select(name=kinds, step=pl.col(plot.x).cast(pl.Int64), value=pl.col(plot.y).cast(pl.Float64))
    groups = named.partition_by("name", as_dict=True, include_key=False, maintain_order=True)
    return {str(name): list(group.iter_rows()) for (name,), group in groups.items()}


def _at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params[part]
    return params
