"""Named sets of follow-ups that express (dis)satisfaction.

They are YAML files in the folder `sets`.
"""

from pathlib import Path
from typing import Literal, NamedTuple

import yaml

from turnabout.errors import ConfigError

SETS_FOLDER = Path(__file__).with_name("sets")

#: The set that is used where none is named.
DEFAULT_SET = "six_dimensions"

Sign = Literal["positive", "negative"]
SIGNS: tuple[Sign, Sign] = ("positive", "negative")

#: The follow-ups of each sign in each dimension, the best first.
Dimensions = dict[str, dict[Sign, list[str]]]


class Phrases(NamedTuple):
    """Follow-ups of satisfied and dissatisfied people, with a version.

    The version is that of the wording.
    """

    positive: list[str]
    negative: list[str]
    version: int


def load_phrases(per_dimension: int, name: str = DEFAULT_SET) -> Phrases:
    """Load the first `per_dimension` follow-ups of each sign in every dimension.

    There are as many positive as negative ones. Raises `ConfigError` where the set has fewer.
    """
    dimensions, version = read_phrase_set(name)
    max_per_dimension = count_per_dimension(dimensions)
    if not 1 <= per_dimension <= max_per_dimension:
        raise ConfigError(
            f"phrases_per_dimension: {per_dimension} is not allowed; the phrases of '{name}' allow 1 to {max_per_dimension}"
        )
    positive: list[str] = []
    negative: list[str] = []
    for texts_by_sign in dimensions.values():
        positive += texts_by_sign["positive"][:per_dimension]
        negative += texts_by_sign["negative"][:per_dimension]
    return Phrases(positive, negative, version)


def count_per_dimension(dimensions: Dimensions) -> int:
    """Return the number of follow-ups that every sign of every dimension has."""
    counts: list[int] = []
    for texts_by_sign in dimensions.values():
        counts += map(len, texts_by_sign.values())
    return min(counts)


def read_phrase_set(name: str) -> tuple[Dimensions, int]:
    """Return the dimensions of a set and its version.

    Raises `ConfigError` that names the sets.
    """
    if name not in list_set_names():
        raise ConfigError(
            f"phrases: '{name}' is not one of {list_set_names()}; `turnabout phrases` makes a set of your own"
        )
    content = yaml.safe_load((SETS_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return content["dimensions"], content["version"]


def list_set_names() -> list[str]:
    """Return the names of all sets, sorted."""
    return sorted(path.stem for path in SETS_FOLDER.glob("*.yaml"))
