"""Measure how well a model plays the user, compared with held-out people.

The figures are the intrinsic metrics of user models (docs/user_metrics.md). A model with the end-of-conversation token
is taken as a user model; any other model is prompted to act as a user. The settings are those of section `evaluate` of
params.yaml in the current folder, if there is one. OUT gets the same tree as metrics/user.json, with the model under
its name.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from turnabout.report.figures import Figure


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the models, the samples and the outputs."""
    options.epilog = "example: turnabout eval-user models/user --n 50 --out user.json"
    options.add_argument("model", metavar="MODEL", help="model to measure: a folder, embedded name or Hub id")
    options.add_argument(
        "--samples",
        type=Path,
        default=Path("data/user_samples.parquet"),
        metavar="FILE",
        help="table of conversations of held-out people (default: %(default)s)",
    )
    options.add_argument(
        "--n",
        type=int,
        metavar="N",
        help="maximum number of held-out conversations, of first messages and of items (default: as in the settings)",
    )
    options.add_argument(
        "--assistant",
        metavar="MODEL",
        help="model that writes the naturalness detector's negatives (default: models/backbone if it exists, else the "
        "embedded model)",
    )
    options.add_argument(
        "--judge",
        type=Path,
        metavar="FILE",
        help="YAML of the model that judges intent adherence: {backend: openai, model: …} (default: fixed phrases)",
    )
    options.add_argument("--out", type=Path, metavar="FILE", help="output file of the figures, JSON")
    options.add_argument(
        "--beside", type=Path, metavar="FILE", help="output file of an earlier run, to show in the same table"
    )


def execute(
    model: str,
    *,
    samples: Path,
    n: int | None,
    assistant: str | None,
    judge: Path | None,
    out: Path | None,
    beside: Path | None,
) -> int:
    """Measure, write the figures and print the table; return status 0."""
    from rich.console import Console

    from turnabout.core.io import write_json
    from turnabout.metrics.intent_adherence import check_same_judge
    from turnabout.metrics.naturalness import check_same_detector
    from turnabout.operations.evaluate_user import measure_user_model

    earlier = {} if beside is None else _read_earlier(beside)
    figures = measure_user_model(model, samples, n=n, assistant=assistant, judge=judge)
    if out is not None:
        write_json(figures, out)
    if earlier:
        check_same_detector(figures, earlier)
        check_same_judge(figures, earlier)
    console = Console(markup=False, highlight=False)
    console.print(build_table(figures, earlier))
    for warning in figures["warnings"]:
        console.print(warning)
    return 0


def _read_earlier(path: Path) -> dict[str, Any]:
    """Return the figures that an earlier run wrote.

    Raises `DataError` if the file does not hold such figures.
    """
    from turnabout.core.io import read_json
    from turnabout.errors import DataError

    try:
        figures = read_json(path)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"--beside: {path} cannot be read as JSON; name a file that eval-user wrote") from error
    if "termination" not in figures:
        raise DataError(f"--beside: {path} holds no figures of a user model; name a file that eval-user wrote")
    return figures


def build_table(figures: Mapping[str, Any], earlier: Mapping[str, Any]) -> "Table":
    """Build the table with one row per metric.

    The columns are the model, the models of the earlier figures, and people; each figure has its interval.
    """
    from rich.table import Table

    from turnabout.report.user_table import build_rows, list_models

    columns = [(tree, model) for tree in (figures, earlier) for model in list_models(tree)]
    rows_by_column = [build_rows(tree, [model]) for tree, model in columns]
    table = Table(title=f"{figures['n_conversations']} conversations of {figures['n_users']} people, 95 % intervals")
    for heading in ("metric", "better", *(model for _, model in columns), "people"):
        table.add_column(heading, justify="left" if heading in ("metric", "better") else "right", overflow="fold")
    for i, human_row in enumerate(build_rows(figures, [])):
        cells = [_format_cell(rows[i].figures[model]) for rows, (_, model) in zip(rows_by_column, columns, strict=True)]
        table.add_row(human_row.metric.name, human_row.metric.better, *cells, _format_cell(human_row.human))
    return table


def _format_cell(figure: "Figure | None") -> str:
    from turnabout.report.figures import format_estimate

    if figure is None:
        return "–"
    return format_estimate(figure) if figure.value is not None else f"not measured: {figure.reason}"
