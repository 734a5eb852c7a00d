"""How different a model's openings are from each other: people rarely begin alike, assistants playing people do.

Naous et al. 2025, §4: 100 · (1 − mean pairwise Jaccard similarity of the sets of words).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from turnabout.stats.estimate import Array, Estimate, interval, multiplicities, nothing

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most pairs of texts compared; beyond that a sample is drawn.
MAX_PAIRS = 200_000


def diversity(texts: Sequence[str], users: Sequence[str], resamples: int, seed: int) -> Estimate:
    """The diversity of the texts in percent; its interval resamples the users the texts belong to.

    In a resample a pair counts as often as both its texts are in it; a text is never paired with its own copy.
    """
    if len(texts) < 2:
        return nothing(f"{len(texts)} text: diversity needs at least 2")
    ones, others = _pairs(len(texts), seed)
    distances = 100 * (1 - _jaccard(texts, ones, others))
    people, person = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    resampled = []
    for times in multiplicities(len(people), resamples, seed):
        weights = times[person[ones]] * times[person[others]]
        resampled.append((weights @ distances) / weights.sum() if weights.any() else np.nan)
    return interval(float(distances.mean()), np.array(resampled), len(people), len(texts))


def _pairs(n: int, seed: int) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Indexes of all pairs of n texts, or of `MAX_PAIRS` drawn with replacement where there are more."""
    if n * (n - 1) // 2 <= MAX_PAIRS:
        return np.triu_indices(n, 1)
    rng = np.random.default_rng(seed)
    ones = rng.integers(n, size=MAX_PAIRS)
    return ones, (ones + rng.integers(1, n, size=MAX_PAIRS)) % n


def _jaccard(texts: Sequence[str], ones: "NDArray[np.intp]", others: "NDArray[np.intp]") -> Array:
    """Jaccard similarity of the word sets of each pair; two texts without a word are alike."""
    from sklearn.feature_extraction.text import CountVectorizer

    # The mark keeps the vocabulary from being empty, and is taken out of every count again.
    has = CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(f"{text} \x00" for text in texts).tocsr()
    sizes = np.asarray(has.sum(axis=1)).ravel() - 1
    shared = np.asarray(has[ones].multiply(has[others]).sum(axis=1)).ravel() - 1
    union = sizes[ones] + sizes[others] - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))
