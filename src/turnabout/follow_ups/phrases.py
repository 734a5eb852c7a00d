"""The follow-ups that stand for satisfaction and dissatisfaction, read from the named sets in the folder `sets`."""

from pathlib import Path
from typing import Literal, NamedTuple

import yaml

from turnabout.errors import ConfigError

SETS = Path(__file__).with_name("sets")

#: The set that is read where none is named.
DEFAULT = "six_dimensions"

Sign = Literal["positive", "negative"]
SIGNS: tuple[Sign, Sign] = ("positive", "negative")

#: Per dimension the follow-ups of each sign, the best first.
Dimensions = dict[str, dict[Sign, list[str]]]


class Phrases(NamedTuple):
    """What satisfied and what dissatisfied people say next, and the version of the wording."""

    positive: list[str]
    negative: list[str]
    version: int


def load_phrases(per_dimension: int, name: str = DEFAULT) -> Phrases:
    """The first `per_dimension` follow-ups of each sign in every dimension; as many positive as negative ones."""
    dimensions, version = read_set(name)
    most = min(len(texts) for dimension in dimensions.values() for texts in dimension.values())
    if not 1 <= per_dimension <= most:
        raise ConfigError(f"phrases_per_dimension: {per_dimension} came, the phrases of '{name}' allow 1 to {most}")
    positive, negative = (
        [text for dimension in dimensions.values() for text in dimension[sign][:per_dimension]] for sign in SIGNS
    )
    return Phrases(positive, negative, version)


def read_set(name: str) -> tuple[Dimensions, int]:
    """The dimensions of a set and its version. Raises `ConfigError` naming the sets there are."""
    if name not in set_names():
        raise ConfigError(f"phrases: '{name}' is not one of {set_names()}; `turnabout phrases` makes a set of your own")
    content = yaml.safe_load((SETS / f"{name}.yaml").read_text(encoding="utf-8"))
    return content["dimensions"], content["version"]


def set_names() -> list[str]:
    """The names of all sets, sorted."""
    return sorted(path.stem for path in SETS.glob("*.yaml"))
