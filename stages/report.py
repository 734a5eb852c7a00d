"""Stage: the results of a run in, one self-contained HTML page out."""

from pathlib import Path

import polars as pl

from stages._command import command
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_text
from turnabout.feedback.signals import select_decisions
from turnabout.params import load_params
from turnabout.report import Inputs, render_page
from turnabout.report.inputs import ASSISTANT_CURVE, BY_TURN, USER_CURVE, Metrics

STAGES = ["ingest", "clean", "split", "mine", "intend", "augment", "train_user", "user", "assistants"]
ARM_STAGES = ["build_pairs", "train_assistant", "train_reward", "simulate"]


def main(data: Path, metrics: Path, plots: Path, report: Path, params: Path = Path("params.yaml")) -> None:
    """Read the run's tables, metrics and plots; write the report."""
    loaded = load_params(params)
    arms = {name: arm.reads for name, arm in loaded.arms.items()}
    inputs = Inputs(
        arms=arms,
        examples=loaded.report.examples,
        ingest_quarantine=read_frame(data / "ingest_quarantine.parquet", schemas.QUARANTINE),
        clean_quarantine=read_frame(data / "clean_quarantine.parquet", schemas.QUARANTINE),
        messages=read_frame(data / "messages", schemas.MESSAGES),
        splits=read_frame(data / "splits.parquet", schemas.SPLITS),
        feedback=select_decisions(read_frame(data / "feedback.parquet", schemas.FEEDBACK)),
        intents=read_frame(data / "intents.parquet", schemas.INTENTS),
        critiques=read_frame(data / "critiques.parquet", schemas.CRITIQUES),
        rationales=read_frame(data / "rationales.parquet", schemas.RATIONALES),
        pairs={arm: read_frame(data / "pairs" / f"{arm}.parquet", schemas.PAIRS) for arm in arms},
        rollouts={
            name: read_frame(data / "rollouts" / f"{name}.parquet", schemas.ROLLOUTS) for name in ["untrained", *arms]
        },
        metrics=read_metrics(metrics, list(arms)),
        user_curve=read_plot(plots / "train_user.csv", USER_CURVE),
        assistant_curves={arm: read_plot(plots / "train_assistant" / f"{arm}.csv", ASSISTANT_CURVE) for arm in arms},
        by_turn=read_plot(plots / "user_by_turn.csv", BY_TURN),
    )
    write_text(render_page(inputs), report)


def read_metrics(folder: Path, arms: list[str]) -> dict[str, Metrics]:
    """Return every metrics file by its name without `.json`.

    Absent files are left out; the page says that their figures were not measured.
    """
    names = [*STAGES, "simulate/untrained"]
    for stage in ARM_STAGES:
        names += [f"{stage}/{arm}" for arm in arms]
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def read_plot(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """Return the points of one plot.

    There are none if training took no step and wrote no file.
    """
    if not path.exists():
        return schema.to_frame()
    return pl.read_csv(path, schema_overrides=schema)


if __name__ == "__main__":
    command(main)
