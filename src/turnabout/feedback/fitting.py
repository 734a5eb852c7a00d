"""Training of the learned miner: labelled exchanges in, calibrated weights and their held-out accuracy out."""

from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import yaml

from turnabout.errors import DataError
from turnabout.feedback.miners.linear import FOLDS, Array, Linear, balanced, fit
from turnabout.feedback.miners.reaction_features import all_features, surface_features
from turnabout.follow_ups.phrases import load_phrases

#: One labelled exchange. `category` is null where the follow-up does not criticise the reply; rows of one `group` share
#: a person or a dialogue and are held out together.
EXAMPLES = pl.Schema(
    {
        "previous_user": pl.String(),
        "reply": pl.String(),
        "follow_up": pl.String(),
        "category": pl.String(),
        "group": pl.String(),
    }
)

CATEGORIES = ("clarification", "complaint", "correction", "rephrase")

#: Weight of an example written for this project; a labelled exchange that criticises nothing weighs 1.
WRITTEN_WEIGHT = 0.9

#: Probability from which an exchange is likely a reaction, and the share of those that the gate, which sees no sentence
#: vectors, must let through.
LIKELY, GATE_RECALL = 0.3, 0.98

MIN_REACTIONS = 2 * FOLDS


class FittedMiner(NamedTuple):
    """What the miner needs to run, and what it says of every example when the example's group is held out."""

    models: dict[str, Linear]
    about: dict[str, str]
    """`gate`: least log-odds of the gate; below it no sentence vector is computed."""
    held_out: Array
    """Probability per example that the follow-up criticises the reply."""


def fit_reactions(examples: pl.DataFrame) -> FittedMiner:
    """A miner from labelled exchanges (`EXAMPLES`) and the examples in `learned_examples.yaml`.

    Raises `DataError` where the labels are too few to hold some out.
    """
    n_reactions = examples["category"].count()
    if min(n_reactions, examples.height - n_reactions) < MIN_REACTIONS:
        raise DataError(
            f"{n_reactions} of {examples.height} labelled exchanges criticise the reply; the learned miner needs "
            f"at least {MIN_REACTIONS} that do and {MIN_REACTIONS} that do not: label more with `turnabout label`"
        )
    together = as_exchanges(pl.concat([examples, written_examples()]))
    labels = together["category"].is_not_null().cast(pl.Float64).to_numpy()
    groups = together["group"].to_list()
    weights = np.full(len(labels), WRITTEN_WEIGHT)
    weights[: examples.height] = balanced(labels[: examples.height])
    everything, surface = all_features(together), surface_features(together)
    reaction, gate = (fit(features, labels, groups, weights) for features in (everything, surface))
    models = {"reaction": reaction.model, "gate": gate.model, **_categories(everything, together["category"])}
    n = examples.height
    likely = reaction.held_out[:n] >= LIKELY
    gate_from = float(np.quantile(_log_odds(gate.held_out[:n][likely]), 1 - GATE_RECALL)) if likely.any() else -np.inf
    return FittedMiner(models, {"gate": repr(gate_from)}, reaction.held_out[: examples.height])


def labelled(exchanges: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Exchanges that people judged (`schemas.LABELS`) as examples, one row each, grouped by person.

    A tie between annotators counts as criticism, of the category most of them name. A revision request is none.
    """
    keys = ["conversation_id", "reply_index"]
    votes = labels.with_columns(
        category=pl.when(label="dsat").then(pl.col("category").fill_null("complaint")).otherwise(None)
    ).with_columns(category=pl.when(pl.col("category").is_in(CATEGORIES)).then("category"))
    judged = votes.group_by(keys, maintain_order=True).agg(
        criticises=pl.col("category").is_not_null().mean() >= 0.5,
        category=pl.col("category").drop_nulls().sort().mode(maintain_order=True).first(),
    )
    found = exchanges.drop_nulls("follow_up").join(judged, on=keys, maintain_order="left")
    return found.select(
        "previous_user",
        "reply",
        "follow_up",
        category=pl.when("criticises").then("category"),
        group=pl.coalesce("user_key", "conversation_id"),
    )


def figures(examples: pl.DataFrame, held_out: Array) -> dict[str, Any]:
    """Accuracy on held-out groups: ranking, and how far probabilities can be trusted (Brier, 1950)."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    truth = examples["category"].is_not_null().to_numpy()
    return {
        "n_examples": examples.height,
        "n_reactions": int(truth.sum()),
        "n_groups": examples["group"].n_unique(),
        "auc": float(roc_auc_score(truth, held_out)),
        "brier": float(brier_score_loss(truth, held_out)),
        "brier_of_the_share": float(truth.mean() * (1 - truth.mean())),
    }


def as_exchanges(examples: pl.DataFrame) -> pl.DataFrame:
    """Examples as exchanges of conversations of their own, with what the features look at."""
    return examples.with_row_index("row").with_columns(
        conversation_id=pl.col("row").cast(pl.String),
        reply_index=pl.lit(1, pl.Int32),
        evidence_index=pl.lit(2, pl.Int32),
    )


def written_examples() -> pl.DataFrame:
    """The examples written for this project (`EXAMPLES`), `group` null: their wording is nobody's log."""
    kinds = yaml.safe_load((files(__package__) / "learned_examples.yaml").read_text(encoding="utf-8"))
    rows = [_example(text, kind if kind in CATEGORIES else None) for kind, texts in kinds.items() for text in texts]
    phrases = load_phrases(10)
    rows += [_example(text, "complaint") for text in phrases.negative]
    rows += [_example(text, None) for text in phrases.positive]
    return pl.DataFrame(rows, schema=EXAMPLES)


def _example(text: str | list[str], category: str | None) -> dict[str, Any]:
    previous, follow_up = text if isinstance(text, list) else (None, text)
    return {"previous_user": previous, "reply": None, "follow_up": follow_up, "category": category, "group": None}


def _categories(features: Any, categories: pl.Series) -> dict[str, Linear]:
    """One scorer per category, among reactions alone; the highest names the category."""
    from sklearn.linear_model import LogisticRegression

    rows = categories.is_not_null().to_numpy()
    model = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000)
    model.fit(features[rows], categories.drop_nulls().to_list())
    return {
        f"category.{name}": Linear(weights.astype(np.float32), float(bias))
        for name, weights, bias in zip(model.classes_, model.coef_, model.intercept_, strict=True)
    }


def _log_odds(probability: Array) -> Array:
    return np.log(probability) - np.log1p(-probability)
