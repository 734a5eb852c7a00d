"""Naturalness: how human a model's first messages look to a detector.

The detector is trained to distinguish people from assistants. Naous et al. 2025, §4 use a paid detector. Ours is
trained on people of the train split: their first messages, and for the same intents the messages of an assistant that
is prompted to act as the user. A score is only meaningful next to the score of held-out people by the same detector,
never next to scores by another detector.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from turnabout.errors import DataError
from turnabout.stats.estimate import Array, Bootstrap, Estimate, missing_estimate

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Version of the training recipe below; increase it with every change.
RECIPE = 1

#: Minimum number of first messages of each class to train on.
MIN_MESSAGES = 8

#: Folds of the cross-validation that measures the detector's own accuracy; no person is in two of them.
FOLDS = 5


class Detector(NamedTuple):
    """A fitted detector.

    `auc` is its area under the ROC curve on people outside its training folds (1 is perfect, 0.5 is chance).
    """

    pipeline: "Pipeline"
    fingerprint: str
    auc: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of a metrics file."""
        return {"fingerprint": self.fingerprint, "auc": self.auc, "n": self.n}


def fit_detector(human: Sequence[str], assistant: Sequence[str], users: Sequence[str], seed: int) -> Detector | None:
    """Fit a detector to one human and one assistant message for each user.

    Returns None if there are fewer than `MIN_MESSAGES`. `auc` comes from fits that leave out all texts of the people
    that they are evaluated on.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    if len(human) < MIN_MESSAGES:
        return None
    texts, is_human = [*human, *assistant], np.repeat([1, 0], [len(human), len(assistant)])
    auc = None
    if (n_folds := min(FOLDS, len(set(users)))) > 1:
        probabilities = cross_val_predict(
            _build_pipeline(seed),
            texts,
            is_human,
            groups=[*users, *users],
            cv=GroupKFold(n_folds),
            method="predict_proba",
        )
        auc = float(roc_auc_score(is_human, probabilities[:, 1]))
    pipeline = _build_pipeline(seed).fit(texts, is_human)
    return Detector(pipeline=pipeline, fingerprint=_compute_fingerprint(human, assistant, seed), auc=auc, n=len(texts))


def estimate_naturalness(
    detector: Detector | None, texts: Sequence[str], users: Sequence[str], bootstrap: Bootstrap
) -> Estimate:
    """Estimate the mean probability, in percent, that a person wrote the texts.

    Higher is more human.
    """
    if detector is None:
        return missing_estimate(f"fewer than {MIN_MESSAGES} people of the train split open a conversation: no detector")
    return bootstrap.mean(100 * _predict_human(detector, texts), users)


def check_same_detector(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Raise `DataError` if two metrics trees were scored by different detectors.

    Naturalness by different detectors is not comparable.
    """
    ours, theirs = (tree.get("naturalness", {}).get("detector", {}).get("fingerprint") for tree in (one, other))
    if ours != theirs:
        raise DataError(
            f"naturalness by detector {theirs} cannot be compared with that by detector {ours}: measure both models "
            "with the same samples, assistant, --n and number of tokens"
        )


def _predict_human(detector: Detector, texts: Sequence[str]) -> Array:
    """Return the probability that a person wrote each text."""
    return np.asarray(detector.pipeline.predict_proba(texts)[:, 1] if len(texts) else [], float)


def _build_pipeline(seed: int) -> "Pipeline":
    """Build an untrained detector.

    Features are TF-IDF of 1 to 4 characters within words, case kept; the classifier is logistic regression.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False, sublinear_tf=True)
    return make_pipeline(characters, LogisticRegression(C=10, max_iter=1000, random_state=seed))


def _compute_fingerprint(human: Sequence[str], assistant: Sequence[str], seed: int) -> str:
    """Return a hash of everything that determines the detector."""
    import sklearn

    content = [RECIPE, sklearn.__version__, seed, sorted(human), sorted(assistant)]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]
