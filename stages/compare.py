"""Stage: the arms of the user model side by side, as figures and as a table."""

from pathlib import Path

from stages._command import command
from turnabout.ablations.arm import TURNS
from turnabout.ablations.table import Measured, compare, table
from turnabout.core.io import read_frame, read_json, write_json, write_text
from turnabout.params import load_params


def main(turns: Path, figures: Path, out: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    loaded = load_params(params)
    arms = {
        name: Measured(arm, read_json(figures / f"{name}.json"), read_frame(turns / f"{name}.parquet", TURNS))
        for name, arm in loaded.user_arms.items()
    }
    saved = compare(arms, loaded.evaluate.resamples, loaded.seed)
    write_text(table(arms, saved), out)
    write_json(
        {name: {told: estimate.to_dict() for told, estimate in each.items()} for name, each in saved.items()}, metrics
    )


if __name__ == "__main__":
    command(main)
