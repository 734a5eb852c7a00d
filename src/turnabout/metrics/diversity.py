"""Diversity of a model's first messages.

People rarely begin alike; assistants that play people do. Naous et al. 2025, §4: 100 · (1 − mean pairwise Jaccard
similarity of the sets of words).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from turnabout.stats.estimate import Array, Bootstrap, Estimate, missing_estimate, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Maximum number of compared pairs of texts; where there are more, a sample is drawn.
MAX_PAIRS = 200_000


def estimate_diversity(texts: Sequence[str], users: Sequence[str], bootstrap: Bootstrap) -> Estimate:
    """Estimate the diversity of the texts in percent.

    The interval resamples the users of the texts. In a resample a pair counts as often as both of its texts are in
    it; a text is never paired with its own copy.
    """
    if len(texts) < 2:
        return missing_estimate(f"{len(texts)} text: diversity needs at least 2")
    first, second = _draw_pairs(len(texts), bootstrap.seed)
    distances = 100 * (1 - _jaccard_similarity(texts, first, second))
    unique_users, user_of_text = np.unique(np.asarray(users, dtype=str), return_inverse=True)
    resampled = []
    for multiplicity in bootstrap.draw_multiplicities(len(unique_users)):
        weights = multiplicity[user_of_text[first]] * multiplicity[user_of_text[second]]
        resampled.append((weights @ distances) / weights.sum() if weights.any() else np.nan)
    return percentile_interval(float(distances.mean()), np.array(resampled), n_users=len(unique_users), n=len(texts))


def _draw_pairs(n: int, seed: int) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Return the indexes of all pairs of n texts, or of a sample of pairs.

    Where there are more than `MAX_PAIRS`, that many are drawn with replacement.
    """
    if n * (n - 1) // 2 <= MAX_PAIRS:
        return np.triu_indices(n, 1)
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=MAX_PAIRS)
    return first, (first + rng.integers(1, n, size=MAX_PAIRS)) % n


def _jaccard_similarity(texts: Sequence[str], first: "NDArray[np.intp]", second: "NDArray[np.intp]") -> Array:
    """Return the Jaccard similarity of the word sets of each pair of texts.

    Two texts without words have similarity 1.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    # The marker keeps the vocabulary from being empty; it is subtracted from every count.
    has = CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(f"{text} \x00" for text in texts).tocsr()
    sizes = np.asarray(has.sum(axis=1)).ravel() - 1
    shared = np.asarray(has[first].multiply(has[second]).sum(axis=1)).ravel() - 1
    union = sizes[first] + sizes[second] - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))
