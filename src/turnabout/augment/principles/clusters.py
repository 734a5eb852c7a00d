"""Rules that mean much the same, by k-means over sentence vectors (steps 2, 3 and 5 of ICAI)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from turnabout.text.sentence_vectors import sentence_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Clusters(NamedTuple):
    """The cluster of each text, and how far it is from the centre of that."""

    label: "NDArray[np.int32]"
    distance: "NDArray[np.floating]"


def nearest_to_centres(texts: Sequence[str], most: int, seed: int) -> list[int]:
    """Places of one text for each of at most `most` clusters, in order: the one nearest to the centre."""
    if len(texts) <= most:
        return list(range(len(texts)))
    found = _clusters(texts, most, seed)
    return _first(found.label, np.argsort(found.distance, kind="stable"))


def first_of_clusters(texts: Sequence[str], most: int, seed: int) -> list[int]:
    """Places of one text for each of at most `most` clusters, in order: the one that comes first."""
    if len(texts) <= most:
        return list(range(len(texts)))
    return _first(_clusters(texts, most, seed).label, np.arange(len(texts)))


def _clusters(texts: Sequence[str], n: int, seed: int) -> Clusters:
    from sklearn.cluster import KMeans

    vectors = sentence_vectors(texts)
    found = KMeans(n, n_init=10, random_state=seed).fit(vectors)
    return Clusters(found.labels_, np.linalg.norm(vectors - found.cluster_centers_[found.labels_], axis=1))


def _first(labels: "NDArray[np.int32]", order: "NDArray[np.intp]") -> list[int]:
    """The place that comes first in `order` of each label."""
    _, first = np.unique(labels[order], return_index=True)
    return sorted(order[first].tolist())
