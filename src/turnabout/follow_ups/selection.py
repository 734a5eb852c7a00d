"""Selection of follow-ups that separate good replies from bad ones."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import yaml

from turnabout.errors import DataError
from turnabout.follow_ups.phrases import SIGNS, Dimensions, Phrases

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure_discrimination(
    logps: "NDArray[np.float64]", satisfied: Sequence[bool], phrases: Phrases
) -> dict[str, float]:
    """Return by follow-up the AUC with which it separates the judged replies.

    It is the share of pairs of a satisfying and a dissatisfying reply that the follow-up's likelihood sorts right; 0.5
    is chance. For a negative follow-up the sign is reversed. From each likelihood (`compute_phrase_logps`) the mean of
    all follow-ups after the same reply is subtracted, so that a reply after which every text is unlikely has no effect.
    Raises `DataError` where the replies are all of one kind.
    """
    from sklearn.metrics import roc_auc_score

    if len(set(satisfied)) < 2:
        raise DataError(
            f"all of the {len(satisfied)} judged replies are of one kind; choosing follow-ups needs some replies that "
            "satisfied and some that did not: use more logs, or one of the sets that ship"
        )
    relative = logps - logps.mean(axis=1, keepdims=True)
    areas = [float(roc_auc_score(satisfied, column)) for column in relative.T]
    n_positive = len(phrases.positive)
    oriented = [*areas[:n_positive], *(1 - area for area in areas[n_positive:])]
    return dict(zip([*phrases.positive, *phrases.negative], oriented, strict=True))


def select_phrases(dimensions: Dimensions, auc_by_phrase: Mapping[str, float], n_kept: int) -> Dimensions:
    """Return the `n_kept` best follow-ups per sign and dimension.

    Those with the highest AUC are the best; they come first.
    """
    selected: Dimensions = {}
    for name, texts_by_sign in dimensions.items():
        selected[name] = {}
        for sign in SIGNS:
            best_first = sorted(texts_by_sign[sign], key=lambda text: -auc_by_phrase[text])
            selected[name][sign] = best_first[:n_kept]
    return selected


def format_set(dimensions: Dimensions, version: int, comment: str) -> str:
    """Return a set as YAML, with a comment in the first line."""
    content = yaml.safe_dump({"version": version, "dimensions": dimensions}, sort_keys=False, allow_unicode=True)
    return f"# {comment}\n{content}"
