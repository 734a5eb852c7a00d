"""Fit the weights that the package ships from the development corpora.

The corpora are Apache-2.0 and MIT; only weights are shipped.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import development
from turnabout.feedback.fitting import EXAMPLES, fit_reaction_models
from turnabout.feedback.miners.experience_features import collect_conversations, compute_experience_features
from turnabout.feedback.miners.linear import FittedModel, fit_linear_model, save_models

SOURCES = {
    "reaction": "EURTAD (UKPLab, Apache-2.0) and the project's own examples",
    "experience": "Dialogue-Eval (Tianbo Ji et al., ACL 2022, MIT)",
}


def load_reactions(folder: Path) -> pl.DataFrame:
    """Return the examples of the reaction model.

    They are those of EURTAD without turns that ignore the error.
    """
    rows = development.load_eurtad(folder)
    return rows.filter(pl.col("reaction").is_null() | (pl.col("reaction") != development.IGNORED)).select(
        list(EXAMPLES)
    )


def fit_experience(folder: Path) -> FittedModel:
    """Fit the experience model, which predicts a rating below the median.

    Folds are by worker.
    """
    rated = development.load_dialogue_eval(folder).sort("conversation_id")
    _, conversations = collect_conversations(development.build_exchange_table(rated))
    z = rated["z_mean"].to_numpy()
    labels = (z < np.median(z)).astype(np.float64)
    return fit_linear_model(
        compute_experience_features(conversations), labels, rated["worker"].to_list(), np.ones(len(z))
    )


def main() -> None:
    """Fit both models and write their weights into the package."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--data", type=Path, default=None)
    folder = development.find_folder(cli.parse_args().data)
    if folder is None:
        raise SystemExit("no development data: set TURNABOUT_DEVELOPMENT_DATA or give --data")
    target = Path(str(files("turnabout.feedback.miners"))) / "weights"
    reaction, experience = fit_reaction_models(load_reactions(folder)), fit_experience(folder)
    save_models(
        reaction.models, reaction.metadata | {"trained_on": SOURCES["reaction"]}, target / "reaction.safetensors"
    )
    save_models(
        {"experience": experience.model}, {"trained_on": SOURCES["experience"]}, target / "experience.safetensors"
    )
    print(f"weights written to {target}")


if __name__ == "__main__":
    main()
