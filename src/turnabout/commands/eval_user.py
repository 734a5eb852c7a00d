"""Measure how well a model plays the user: the intrinsic metrics of user models, beside held-out people.

A model with the end-of-conversation token is taken for a user model; any other one is told to act as a user. Settings
are those of section `evaluate` of the params.yaml here, if there is one. OUT gets the same tree as metrics/user.json,
with the model under its name.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Whom to measure, on whom, beside what."""
    options.add_argument("model", metavar="MODEL", help="folder, embedded name or Hub id")
    options.add_argument(
        "--samples", type=Path, default=Path("data/user_samples.parquet"), metavar="FILE", help="default: %(default)s"
    )
    options.add_argument(
        "--n", type=int, metavar="N", help="most held-out conversations, first messages and items each"
    )
    options.add_argument(
        "--assistant",
        metavar="MODEL",
        help="acts the people the detector learns on (default: models/backbone where it is, else the embedded model)",
    )
    options.add_argument(
        "--judge", type=Path, metavar="FILE", help="YAML of who judges intent adherence: {backend: openai, model: …}"
    )
    options.add_argument("--out", type=Path, metavar="FILE", help="where the figures go, as JSON")
    options.add_argument("--beside", type=Path, metavar="FILE", help="an earlier --out to show beside these figures")


def execute(
    model: str,
    samples: Path,
    n: int | None,
    assistant: str | None,
    judge: Path | None,
    out: Path | None,
    beside: Path | None,
) -> int:
    """Measure, write, print the table; status 0."""
    from rich.console import Console

    from turnabout.core.io import write_json
    from turnabout.metrics.intent_adherence import check_same_judge
    from turnabout.metrics.naturalness import check_same_detector
    from turnabout.operations.evaluate_user import measure_user_model

    earlier = {} if beside is None else _read_earlier(beside)
    found = measure_user_model(model, samples, n=n, assistant=assistant, judge=judge)
    if out is not None:
        write_json(found, out)
    if earlier:
        check_same_detector(found, earlier)
        check_same_judge(found, earlier)
    console = Console(markup=False, highlight=False)
    console.print(build_table(found, earlier))
    for warning in found["warnings"]:
        console.print(warning)
    return 0


def _read_earlier(path: Path) -> dict[str, Any]:
    """What an earlier run wrote. Raises `DataError` where it is no such file."""
    from turnabout.core.io import read_json
    from turnabout.errors import DataError

    try:
        found = read_json(path)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"--beside: {path} cannot be read as JSON; name a file that eval-user wrote") from error
    if "termination" not in found:
        raise DataError(f"--beside: {path} holds no figures of a user; name a file that eval-user wrote")
    return found


def build_table(found: Mapping[str, Any], earlier: Mapping[str, Any]) -> "Table":
    """A row per metric: the model, the models of an earlier file, and people, each with its interval."""
    from rich.table import Table

    from turnabout.report.figures import Figure, format_estimate
    from turnabout.report.user_table import list_models, build_rows

    def cell(figure: Figure | None) -> str:
        if figure is None:
            return "–"
        return format_estimate(figure) if figure.value is not None else f"not measured: {figure.reason}"

    columns = [(tree, name) for tree in (found, earlier) for name in list_models(tree)]
    tables = [build_rows(tree, [name]) for tree, name in columns]
    drawn = Table(title=f"{found['n_conversations']} conversations of {found['n_users']} people, 95 % intervals")
    for head in ("metric", "better", *(name for _, name in columns), "people"):
        drawn.add_column(head, justify="left" if head in ("metric", "better") else "right", overflow="fold")
    for row, *others in zip(build_rows(found, []), *tables, strict=True):
        cells = [cell(each.figures[name]) for each, (_, name) in zip(others, columns, strict=True)]
        drawn.add_row(row.metric.name, row.metric.better, *cells, cell(row.human))
    return drawn
