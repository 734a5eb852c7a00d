"""Naturalness: how human a detector finds a model's first messages, which was trained to tell people from assistants.

Naous et al. 2025, §4 use a paid detector. Ours learns on the people of the train split: what they wrote first, against
what an assistant writes that is told to act as them, intent by intent. Scores mean something beside the score of
held-out people by the same detector, never beside those of another one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from turnabout.errors import DataError
from turnabout.stats.estimate import Array, Estimate, mean, nothing

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Goes up whenever the recipe below changes.
RECIPE = 1

#: First messages of each side below which nothing is learnt.
FEWEST = 8

#: Parts the people are split into for the detector's own accuracy.
FOLDS = 5


class Detector(NamedTuple):
    """A fitted detector. `auc`: how well it tells apart people it did not learn on (1 always, 0.5 is chance)."""

    pipeline: "Pipeline"
    fingerprint: str
    auc: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """As metrics files have it."""
        return {"fingerprint": self.fingerprint, "auc": self.auc, "n": self.n}


def fit_detector(human: Sequence[str], assistant: Sequence[str], users: Sequence[str], seed: int) -> Detector | None:
    """The detector of two first messages per person, the person's own and an assistant's; None where too few.

    `auc` comes from fits that leave out all texts of the people they are tried on.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    if len(human) < FEWEST:
        return None
    texts, is_human = [*human, *assistant], np.repeat([1, 0], [len(human), len(assistant)])
    people, auc = [*users, *users], None
    if (folds := min(FOLDS, len(set(users)))) > 1:
        split = GroupKFold(folds)
        found = cross_val_predict(_recipe(seed), texts, is_human, groups=people, cv=split, method="predict_proba")
        auc = float(roc_auc_score(is_human, found[:, 1]))
    return Detector(_recipe(seed).fit(texts, is_human), _fingerprint(human, assistant, seed), auc, len(texts))


def naturalness(
    detector: Detector | None, texts: Sequence[str], users: Sequence[str], resamples: int, seed: int
) -> Estimate:
    """The mean probability, in percent, that a person wrote the texts; higher is more human."""
    if detector is None:
        return nothing(f"fewer than {FEWEST} people of the train split open a conversation: no detector")
    return mean(100 * _human(detector, texts), users, resamples, seed)


def check_same_detector(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Raise `DataError` where two metrics trees hold naturalness by different detectors, which cannot be compared."""
    ours, theirs = (tree.get("naturalness", {}).get("detector", {}).get("fingerprint") for tree in (one, other))
    if ours != theirs:
        raise DataError(
            f"naturalness by detector {theirs} cannot stand beside that by {ours}: measure both models with the same "
            "samples, assistant, --n and number of tokens"
        )


def _human(detector: Detector, texts: Sequence[str]) -> Array:
    return np.asarray(detector.pipeline.predict_proba(texts)[:, 1] if len(texts) else [], float)


def _recipe(seed: int) -> "Pipeline":
    """Runs of 1 to 4 characters within words, capitals kept, and a logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False, sublinear_tf=True)
    return make_pipeline(characters, LogisticRegression(C=10, max_iter=1000, random_state=seed))


def _fingerprint(human: Sequence[str], assistant: Sequence[str], seed: int) -> str:
    """A hash of all that decides the detector: its texts and its recipe."""
    import sklearn

    told = [RECIPE, sklearn.__version__, seed, sorted(human), sorted(assistant)]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:16]
