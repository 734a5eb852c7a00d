"""A calibrated linear model: logistic regression whose strength of penalty and calibration come from grouped folds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnabout.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]

#: Inverse strengths of the L2 penalty that are tried, and the number of folds.
STRENGTHS, FOLDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0), 5


class Linear(NamedTuple):
    """log-odds = features · weights + bias; the calibration (Platt, 1999) is already in both."""

    weights: NDArray[np.float32]
    bias: float

    def logits(self, features: "csr_matrix") -> Array:
        """Log-odds, one per row of features (rows, weights)."""
        return np.asarray(features @ self.weights.astype(np.float64) + self.bias)

    def probability(self, features: "csr_matrix") -> Array:
        """Calibrated probability, one per row."""
        return sigmoid(self.logits(features))


class Fitted(NamedTuple):
    """A model trained on everything, and what models that had not seen a row's group say of that row."""

    model: Linear
    held_out: Array
    """Calibrated probabilities, NaN for rows that were never held out."""
    strength: float


def sigmoid(logits: Array) -> Array:
    """1 / (1 + e^-x), for logits of any size."""
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


def fit(features: "csr_matrix", labels: Array, groups: Sequence[str | None], weights: Array) -> Fitted:
    """The model that held-out rows like best (log loss). Rows of one group are in one fold; None is always trained on.

    `weights` are for training alone; the calibration is on the held-out rows as they come, with the share of positives
    they have.
    """
    folds = _folds(labels, groups)
    held_out = {strength: _held_out(features, labels, weights, folds, strength) for strength in STRENGTHS}
    tested = folds >= 0
    calibrated = {s: _platt(logits[tested], labels[tested]) for s, logits in held_out.items()}
    losses = {
        s: _log_loss(slope * held_out[s][tested] + shift, labels[tested]) for s, (slope, shift) in calibrated.items()
    }
    best = min(STRENGTHS, key=losses.__getitem__)
    slope, shift = calibrated[best]
    raw = _train(features, labels, weights, best)
    model = Linear((raw.weights * slope).astype(np.float32), float(raw.bias * slope + shift))
    probabilities = np.where(tested, sigmoid(slope * held_out[best] + shift), np.nan)
    return Fitted(model, probabilities, best)


def balanced(labels: Array) -> Array:
    """Weights under which the positives together weigh as much as the negatives, 1 each."""
    return np.where(labels == 1, (labels == 0).sum() / max(labels.sum(), 1), 1.0)


def save(models: dict[str, Linear], about: dict[str, str], path: Path) -> None:
    """Models as one safetensors file in half precision, with a description that `load` gives back."""
    from safetensors.numpy import save_file

    tensors = {f"{name}.weights": model.weights.astype(np.float16) for name, model in models.items()}
    tensors |= {f"{name}.bias": np.array([model.bias], dtype=np.float64) for name, model in models.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path), metadata=about)


def load(path: Path) -> tuple[dict[str, Linear], dict[str, str]]:
    """The models and the description in a file of `save`. Raises `ModelError` where it is not one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a file of weights ({error}); `python -m stages.fit_miner` writes one") from error
    names = [name.removesuffix(".bias") for name in tensors if name.endswith(".bias")]
    return {
        name: Linear(tensors[f"{name}.weights"].astype(np.float32), float(tensors[f"{name}.bias"][0])) for name in names
    }, about


def _folds(labels: Array, groups: Sequence[str | None]) -> NDArray[np.int64]:
    """The fold of every row, -1 for a row without a group."""
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.array([row for row, group in enumerate(groups) if group is not None])
    names = [groups[row] for row in rows]
    folds = np.full(len(groups), -1)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, tested) in enumerate(splitter.split(rows, labels[rows], names)):
        folds[rows[tested]] = fold
    return folds


def _held_out(
    features: "csr_matrix", labels: Array, weights: Array, folds: NDArray[np.int64], strength: float
) -> Array:
    logits = np.full(len(labels), np.nan)
    for fold in range(FOLDS):
        tested, trained = folds == fold, folds != fold
        logits[tested] = _train(features[trained], labels[trained], weights[trained], strength).logits(features[tested])
    return logits


def _train(features: "csr_matrix", labels: Array, weights: Array, strength: float) -> Linear:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=2000).fit(features, labels, sample_weight=weights)
    return Linear(model.coef_[0], float(model.intercept_[0]))


def _platt(logits: Array, labels: Array) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(logits[:, None], labels)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _log_loss(logits: Array, labels: Array) -> float:
    return float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))
