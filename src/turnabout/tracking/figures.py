"""Parameters, metrics and curves of a stage as flat names and numbers."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from turnabout.core.io import read_json
from turnabout.pipeline.repro import Plot, Stage

#: Longest name of a metric in MLflow.
MAX_METRIC_NAME = 250

#: End of the keys of counts by reason. Reasons are texts of any length, so they become tables and no metrics.
BY_REASON = "_by_reason"

#: name → (step, value) pairs
Curves = dict[str, list[tuple[int, float]]]


def flatten_params(content: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings and lists of mappings.

    `{"a": {"b": 1}}` becomes `{"a.b": 1}`.
    """
    if isinstance(content, Mapping):
        entries = content.items()
    elif isinstance(content, Sequence) and content and all(isinstance(entry, Mapping) for entry in content):
        entries = {str(index): entry for index, entry in enumerate(content)}.items()
    else:
        return {prefix: content}
    return {
        name: value
        for key, entry in entries
        for name, value in flatten_params(entry, f"{prefix}.{key}".strip(".")).items()
    }


def read_stage_params(root: Path, keys: Sequence[str]) -> dict[str, Any]:
    """Return the values of dotted keys of `params.yaml`, flattened."""
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return {name: value for key in keys for name, value in flatten_params(_get_param(params, key), key).items()}


def flatten_metrics(content: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a metrics file by dotted name.

    The value of an estimate `{value, low, high}` gets the name of the estimate. Text and null (a figure that could not
    be measured) are left out, and so are lists and counts by reason: `read_stage_tables` returns them. Names are cut
    to what MLflow allows.
    """
    flat = flatten_params(_drop_tables(content))
    named = {re.sub(r"[^\w\-./ ]", "_", name)[:MAX_METRIC_NAME]: value for name, value in flat.items()}
    numbers = {name: float(value) for name, value in named.items() if isinstance(value, int | float)}
    return {name.removesuffix(".value"): value for name, value in numbers.items()}


def read_stage_metrics(root: Path, paths: Sequence[str]) -> dict[str, float]:
    """Return the numbers of metrics files.

    With several files each name starts with the name of its file.
    """
    by_file = {Path(path).stem: flatten_metrics(read_json(root / path)) for path in paths if (root / path).exists()}
    if len(paths) == 1:
        return dict(*by_file.values())
    return {f"{stem}.{name}": value for stem, metrics in by_file.items() for name, value in metrics.items()}


def read_stage_tables(root: Path, paths: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """Return the tables in metrics files as columns.

    Their names are the dotted names of their keys. Counts by reason have the columns `reason` and `n`, the greatest
    first. A list of mappings has a column for each of their keys.
    """
    tables: dict[str, dict[str, list[Any]]] = {}
    for path in paths:
        if (root / path).exists():
            for name, table in _find_tables(read_json(root / path)).items():
                tables[name if len(paths) == 1 else f"{Path(path).stem}.{name}"] = table
    return tables


def read_stage_curves(root: Path, stage: Stage) -> Curves:
    """Return the curves of a stage's plots.

    A plot has one curve for each value of its text columns (`bits_per_character.trained`).
    """
    curves: Curves = {}
    for plot in stage.plots:
        if (root / plot.path).exists():
            curves.update(_read_curves(root / plot.path, plot))
    return curves


def _read_curves(path: Path, plot: Plot) -> Curves:
    import polars as pl
    import polars.selectors as cs

    points = pl.read_csv(path).drop_nulls([plot.x, plot.y])
    if points.is_empty():
        return {}
    kinds = pl.concat_str(pl.lit(plot.y), cs.string().exclude(plot.x, plot.y), separator=".", ignore_nulls=True)
    named = points.select(name=kinds, step=pl.col(plot.x).cast(pl.Int64), value=pl.col(plot.y).cast(pl.Float64))
    groups = named.partition_by("name", as_dict=True, include_key=False, maintain_order=True)
    return {str(name): list(group.iter_rows()) for (name,), group in groups.items()}


def _drop_tables(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings without the lists and the counts by reason in them."""
    return {
        key: _drop_tables(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if not isinstance(value, list) and not key.endswith(BY_REASON)
    }


def _find_tables(content: Mapping[str, Any], prefix: str = "") -> dict[str, dict[str, list[Any]]]:
    tables: dict[str, dict[str, list[Any]]] = {}
    for key, entry in content.items():
        name = f"{prefix}.{key}".strip(".")
        if isinstance(entry, Mapping) and not key.endswith(BY_REASON):
            tables |= _find_tables(entry, name)
        elif isinstance(entry, Mapping) and entry:
            counts = sorted(entry.items(), key=lambda item: (-item[1], item[0]))
            tables[name] = {"reason": [reason for reason, _ in counts], "n": [n for _, n in counts]}
        elif isinstance(entry, list) and entry and all(isinstance(row, Mapping) for row in entry):
            columns = dict.fromkeys(column for row in entry for column in row)
            tables[name] = {column: [row.get(column) for row in entry] for column in columns}
    return tables


def _get_param(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params[part]
    return params
