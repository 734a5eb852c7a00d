"""Stage: evaluated arms of the user model in; their comparison out.

The comparison is written as JSON and as a table.
"""

from pathlib import Path

from stages._command import command
from turnabout.ablations.arm import ARM_TURNS
from turnabout.ablations.table import MeasuredArm, compare_arms, format_table
from turnabout.core.io import read_frame, read_json, write_json, write_text
from turnabout.params import load_params
from turnabout.stats.estimate import Bootstrap


def main(turns: Path, figures: Path, out: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Compare all arms of the user model, and write the table."""
    loaded = load_params(params)
    arms = {
        name: MeasuredArm(arm, read_json(figures / f"{name}.json"), read_frame(turns / f"{name}.parquet", ARM_TURNS))
        for name, arm in loaded.user_arms.items()
    }
    saved = compare_arms(arms, Bootstrap(loaded.evaluate.resamples, loaded.seed))
    write_text(format_table(arms, saved), out)
    comparison = {}
    for name, estimates in saved.items():
        comparison[name] = {detail: estimate.to_dict() for detail, estimate in estimates.items()}
    write_json(comparison, metrics)


if __name__ == "__main__":
    command(main)
