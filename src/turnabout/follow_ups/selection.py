"""Follow-ups chosen on replies that people judged: those whose likelihood tells what satisfied from what did not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import yaml

from turnabout.errors import DataError
from turnabout.follow_ups.phrases import SIGNS, Dimensions, Phrases

if TYPE_CHECKING:
    from numpy.typing import NDArray


def discrimination(logps: "NDArray[np.float64]", satisfied: Sequence[bool], phrases: Phrases) -> dict[str, float]:
    """By follow-up, how often it sorts a reply that satisfied and one that did not the right way round; 0.5 is chance.

    That is the area under its ROC curve, of a negative follow-up with the sign turned. From each likelihood
    (`phrase_logps`) the mean of all follow-ups after the same reply is taken away, so that a reply after which every
    word is a surprise counts for nothing. Raises `DataError` where only one kind of reply is there.
    """
    from sklearn.metrics import roc_auc_score

    if len(set(satisfied)) < 2:
        raise DataError(
            f"all of the {len(satisfied)} judged replies are of one kind; choosing follow-ups takes some that "
            "satisfied and some that did not: use more logs, or one of the sets that ship"
        )
    relative = logps - logps.mean(axis=1, keepdims=True)
    areas = [float(roc_auc_score(satisfied, column)) for column in relative.T]
    n_positive = len(phrases.positive)
    oriented = [*areas[:n_positive], *(1 - area for area in areas[n_positive:])]
    return dict(zip([*phrases.positive, *phrases.negative], oriented, strict=True))


def chosen(dimensions: Dimensions, found: dict[str, float], keep: int) -> Dimensions:
    """The `keep` follow-ups of each sign that sort best in every dimension, the best first."""
    return {
        name: {sign: sorted(dimension[sign], key=lambda text: -found[text])[:keep] for sign in SIGNS}
        for name, dimension in dimensions.items()
    }


def as_yaml(dimensions: Dimensions, version: int, comment: str) -> str:
    """The text of a set."""
    content = yaml.safe_dump({"version": version, "dimensions": dimensions}, sort_keys=False, allow_unicode=True)
    return f"# {comment}\n{content}"
