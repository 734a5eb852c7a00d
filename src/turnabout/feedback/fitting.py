"""Training of the miner `learned` on labelled exchanges."""

from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import yaml

from turnabout.core.conversations import REPLY_KEY
from turnabout.errors import DataError
from turnabout.feedback.miners.linear import N_FOLDS, Array, LinearModel, balance_classes, fit_linear_model
from turnabout.feedback.miners.reaction_features import compute_all_features, compute_surface_features
from turnabout.follow_ups.phrases import load_phrases

#: One labelled exchange. `category` is null where the follow-up does not criticise the reply. Rows of one `group` share
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

#: Held-out probability from which an exchange is a likely reaction, and the share of likely reactions that the gate
#: must pass. The gate sees no sentence vectors.
LIKELY, GATE_RECALL = 0.3, 0.98

MIN_REACTIONS = 2 * N_FOLDS


class FittedMiner(NamedTuple):
    """The models of the learned miner, and its held-out predictions."""

    models: dict[str, LinearModel]
    metadata: dict[str, str]
    """`gate`: lowest log-odds at which the gate passes an exchange; below it no sentence vector is computed."""
    held_out: Array
    """Per example, the probability that the follow-up criticises the reply, by models that never saw its group."""


def fit_reaction_models(examples: pl.DataFrame) -> FittedMiner:
    """Fit the learned miner to labelled exchanges (`EXAMPLES`).

    The examples in `learned_examples.yaml` and the shipped follow-ups are always trained on, too. Raises `DataError`
    where the labels are too few to hold some out.
    """
    n = examples.height
    n_reactions = examples["category"].count()
    if min(n_reactions, n - n_reactions) < MIN_REACTIONS:
        raise DataError(
            f"{n_reactions} of {n} labelled exchanges criticise the reply; the learned miner needs at least "
            f"{MIN_REACTIONS} that do and {MIN_REACTIONS} that do not: label more with `turnabout label`"
        )
    exchanges = examples_to_exchanges(pl.concat([examples, load_written_examples()]))
    labels = exchanges["category"].is_not_null().cast(pl.Float64).to_numpy()
    groups = exchanges["group"].to_list()
    weights = np.full(len(labels), WRITTEN_WEIGHT)
    weights[:n] = balance_classes(labels[:n])
    all_features = compute_all_features(exchanges)
    reaction = fit_linear_model(all_features, labels, groups, weights)
    gate = fit_linear_model(compute_surface_features(exchanges), labels, groups, weights)
    models = {
        "reaction": reaction.model,
        "gate": gate.model,
        **_fit_categories(all_features, exchanges["category"]),
    }
    likely = reaction.held_out[:n] >= LIKELY
    threshold = -np.inf
    if likely.any():
        threshold = float(np.quantile(_compute_log_odds(gate.held_out[:n][likely]), 1 - GATE_RECALL))
    return FittedMiner(models, {"gate": repr(threshold)}, reaction.held_out[:n])


def build_examples(exchanges: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Build one example (`EXAMPLES`) per labelled exchange.

    Examples are grouped by person. `labels` is `schemas.LABELS`. A tie between annotators counts as criticism, of the
    category that most of them name. A revision request is no criticism. Exchanges without a follow-up are dropped.
    """
    votes = labels.with_columns(
        category=pl.when(label="dsat").then(pl.col("category").fill_null("complaint")).otherwise(None)
    ).with_columns(category=pl.when(pl.col("category").is_in(CATEGORIES)).then("category"))
    judged = votes.group_by(REPLY_KEY, maintain_order=True).agg(
        criticises=pl.col("category").is_not_null().mean() >= 0.5,
        category=pl.col("category").drop_nulls().sort().mode(maintain_order=True).first(),
    )
    labelled = exchanges.drop_nulls("follow_up").join(judged, on=REPLY_KEY, maintain_order="left")
    return labelled.select(
        "previous_user",
        "reply",
        "follow_up",
        category=pl.when("criticises").then("category"),
        group=pl.coalesce("user_key", "conversation_id"),
    )


def measure_held_out(examples: pl.DataFrame, held_out: Array) -> dict[str, Any]:
    """Return counts and the accuracy on held-out groups.

    The accuracy is the AUC and the Brier score (Brier, 1950). `brier_of_the_share` is the Brier score of predicting the
    share of reactions for every example.
    """
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


def examples_to_exchanges(examples: pl.DataFrame) -> pl.DataFrame:
    """Return each example as the only exchange of a conversation of its own.

    Adds the columns that the features read: `conversation_id`, `reply_index` and `evidence_index`.
    """
    return examples.with_row_index("row").with_columns(
        conversation_id=pl.col("row").cast(pl.String),
        reply_index=pl.lit(1, pl.Int32),
        evidence_index=pl.lit(2, pl.Int32),
    )


def load_written_examples() -> pl.DataFrame:
    """Load the examples written for this project (`EXAMPLES`).

    They are those of `learned_examples.yaml` and the shipped follow-ups. `group` is null, so that they are never held
    out: their wording is in nobody's log.
    """
    texts_by_kind = yaml.safe_load((files(__package__) / "learned_examples.yaml").read_text(encoding="utf-8"))
    rows = []
    for kind, texts in texts_by_kind.items():
        category = kind if kind in CATEGORIES else None
        rows += [_build_written_row(text, category) for text in texts]
    phrases = load_phrases(10)
    rows += [_build_written_row(text, "complaint") for text in phrases.negative]
    rows += [_build_written_row(text, None) for text in phrases.positive]
    return pl.DataFrame(rows, schema=EXAMPLES)


def _build_written_row(text: str | list[str], category: str | None) -> dict[str, Any]:
    previous, follow_up = text if isinstance(text, list) else (None, text)
    return {"previous_user": previous, "reply": None, "follow_up": follow_up, "category": category, "group": None}


def _fit_categories(features: Any, categories: pl.Series) -> dict[str, LinearModel]:
    """Fit one scorer per category on the reactions alone.

    The category with the highest score is predicted.
    """
    from sklearn.linear_model import LogisticRegression

    rows = categories.is_not_null().to_numpy()
    model = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000)
    model.fit(features[rows], categories.drop_nulls().to_list())
    return {
        f"category.{name}": LinearModel(weights.astype(np.float32), float(bias))
        for name, weights, bias in zip(model.classes_, model.coef_, model.intercept_, strict=True)
    }


def _compute_log_odds(probability: Array) -> Array:
    return np.log(probability) - np.log1p(-probability)
