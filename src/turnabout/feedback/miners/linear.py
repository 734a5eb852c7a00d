"""A calibrated logistic regression.

Its penalty and its calibration are chosen on grouped folds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnabout.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]

#: Inverse strengths of the L2 penalty that are tried (scikit-learn's C), and the number of folds.
INVERSE_STRENGTHS, N_FOLDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0), 5


class LinearModel(NamedTuple):
    """A linear model of log-odds: features · weights + bias.

    Weights and bias already contain the calibration (Platt, 1999).
    """

    weights: NDArray[np.float32]
    bias: float

    def compute_logits(self, features: "csr_matrix") -> Array:
        """Return the log-odds of each row of features, shape (rows, weights)."""
        return np.asarray(features @ self.weights.astype(np.float64) + self.bias)

    def predict_probability(self, features: "csr_matrix") -> Array:
        """Return the calibrated probability of each row of features."""
        return sigmoid(self.compute_logits(features))


class FittedModel(NamedTuple):
    """A model trained on all rows, and held-out predictions.

    The held-out prediction of a row is by a model that never saw the row's group.
    """

    model: LinearModel
    held_out: Array
    """Calibrated probabilities, NaN for rows that were never held out."""
    inverse_strength: float


def sigmoid(logits: Array) -> Array:
    """Return 1 / (1 + e^-x) for logits of any size."""
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


def fit_linear_model(
    features: "csr_matrix", labels: Array, groups: Sequence[str | None], weights: Array
) -> FittedModel:
    """Fit a calibrated model.

    The penalty is the one with the lowest log loss on held-out rows. Rows of one group are in one fold; rows with the
    group None are always trained on. `weights` apply to training alone: the calibration is on the held-out rows as they
    are, with the share of positives that they have.
    """
    folds = _assign_folds(labels, groups)
    tested = folds >= 0
    held_out: dict[float, Array] = {}
    calibrations: dict[float, tuple[float, float]] = {}
    losses: dict[float, float] = {}
    for inverse_strength in INVERSE_STRENGTHS:
        logits = _predict_held_out(features, labels, weights, folds, inverse_strength=inverse_strength)
        slope, shift = _fit_calibration(logits[tested], labels[tested])
        held_out[inverse_strength], calibrations[inverse_strength] = logits, (slope, shift)
        losses[inverse_strength] = _compute_log_loss(slope * logits[tested] + shift, labels[tested])
    best = min(INVERSE_STRENGTHS, key=losses.__getitem__)
    slope, shift = calibrations[best]
    raw = _train_model(features, labels, weights, best)
    model = LinearModel((raw.weights * slope).astype(np.float32), float(raw.bias * slope + shift))
    probabilities = np.where(tested, sigmoid(slope * held_out[best] + shift), np.nan)
    return FittedModel(model, probabilities, best)


def balance_classes(labels: Array) -> Array:
    """Return row weights that balance positives and negatives.

    A negative weighs 1.
    """
    return np.where(labels == 1, (labels == 0).sum() / max(labels.sum(), 1), 1.0)


def save_models(models: dict[str, LinearModel], metadata: dict[str, str], path: Path) -> None:
    """Save models in half precision as one safetensors file.

    `load_models` returns the models and the metadata.
    """
    from safetensors.numpy import save_file

    tensors = {f"{name}.weights": model.weights.astype(np.float16) for name, model in models.items()}
    tensors |= {f"{name}.bias": np.array([model.bias], dtype=np.float64) for name, model in models.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path), metadata=metadata)


def load_models(path: Path) -> tuple[dict[str, LinearModel], dict[str, str]]:
    """Load the models and the metadata of a file of `save_models`.

    Raises `ModelError` for any other file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a file of weights ({error}); `turnabout fit-miner` writes one") from error
    models = {}
    for tensor_name in tensors:
        if tensor_name.endswith(".bias"):
            name = tensor_name.removesuffix(".bias")
            weights = tensors[f"{name}.weights"].astype(np.float32)
            models[name] = LinearModel(weights, float(tensors[tensor_name][0]))
    return models, metadata


def _assign_folds(labels: Array, groups: Sequence[str | None]) -> NDArray[np.int64]:
    """Return the fold of every row, -1 for a row without a group."""
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.array([row for row, group in enumerate(groups) if group is not None])
    names = [groups[row] for row in rows]
    folds = np.full(len(groups), -1)
    splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    for fold, (_, tested) in enumerate(splitter.split(rows, labels[rows], names)):
        folds[rows[tested]] = fold
    return folds


def _predict_held_out(
    features: "csr_matrix", labels: Array, weights: Array, folds: NDArray[np.int64], *, inverse_strength: float
) -> Array:
    logits = np.full(len(labels), np.nan)
    for fold in range(N_FOLDS):
        tested, trained = folds == fold, folds != fold
        model = _train_model(features[trained], labels[trained], weights[trained], inverse_strength)
        logits[tested] = model.compute_logits(features[tested])
    return logits


def _train_model(features: "csr_matrix", labels: Array, weights: Array, inverse_strength: float) -> LinearModel:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=inverse_strength, max_iter=2000).fit(features, labels, sample_weight=weights)
    return LinearModel(model.coef_[0], float(model.intercept_[0]))


def _fit_calibration(logits: Array, labels: Array) -> tuple[float, float]:
    """Return slope and shift of Platt's calibration."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(logits[:, None], labels)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _compute_log_loss(logits: Array, labels: Array) -> float:
    return float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))
