"""Named sets of follow-ups that express (dis)satisfaction.

They are YAML files: those that ship in the folder `sets` of the package, a project's own ones in its folder
`follow_ups`.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import Field, ValidationError

from turnabout.core.config import Count, Section, convert_validation_error, convert_yaml_error
from turnabout.errors import ConfigError

#: Folder of the sets that ship.
SETS_FOLDER = Path(__file__).with_name("sets")

#: Folder of a project's own sets, relative to its root. DVC watches it: `build_pairs` depends on it.
PROJECT_FOLDER = Path("follow_ups")

#: The set that is used where none is named.
DEFAULT_SET = "six_dimensions"

Sign = Literal["positive", "negative"]
SIGNS: tuple[Sign, Sign] = ("positive", "negative")

#: The follow-ups of each sign in each dimension, the best first.
Dimensions = dict[str, dict[Sign, list[str]]]


class PhraseSet(Section):
    """The content of a set's file."""

    version: Count
    """Version of the wording."""
    dimensions: Annotated[
        dict[str, Annotated[dict[Sign, Annotated[list[str], Field(min_length=1)]], Field(min_length=2)]],
        Field(min_length=1),
    ]


class Phrases(NamedTuple):
    """Follow-ups of satisfied and dissatisfied people, with a version.

    The version is that of the wording.
    """

    positive: list[str]
    negative: list[str]
    version: int


def load_phrases(per_dimension: int, name: str = DEFAULT_SET, root: Path = Path()) -> Phrases:
    """Load the first `per_dimension` follow-ups of each sign in every dimension.

    There are as many positive as negative ones. `root` is the project's root. Raises `ConfigError` where the set has
    fewer.
    """
    dimensions, version = read_phrase_set(name, root)
    max_per_dimension = count_per_dimension(dimensions)
    if not 1 <= per_dimension <= max_per_dimension:
        raise ConfigError(
            f"phrases_per_dimension: {per_dimension} is not allowed; "
            f"the phrases of '{name}' allow 1 to {max_per_dimension}"
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


def read_phrase_set(name: str, root: Path = Path()) -> tuple[Dimensions, int]:
    """Return the dimensions of a set and its version.

    `root` is the project's root. Raises `ConfigError` that names the sets, or what is wrong in the file.
    """
    files = list_set_files(root)
    if name not in files:
        raise ConfigError(f"phrases: '{name}' is not one of {list(files)}; `turnabout phrases` makes a set of your own")
    path = files[name]
    try:
        content = PhraseSet.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise convert_yaml_error(str(path), error) from None
    except ValidationError as error:
        raise convert_validation_error(str(path), error) from None
    return content.dimensions, content.version


def list_set_files(root: Path = Path()) -> dict[str, Path]:
    """Return the file of every set by name, sorted by name.

    The sets are those of the project at `root` and those that ship. Raises `ConfigError` where a project's set has the
    name of one that ships: miners and metrics use the shipped sets by name, and would silently read other texts.
    """
    own = {path.stem: path for path in (root / PROJECT_FOLDER).glob("*.yaml")}
    shipped = {path.stem: path for path in SETS_FOLDER.glob("*.yaml")}
    if reused := sorted(own.keys() & shipped.keys()):
        raise ConfigError(f"{own[reused[0]]}: a set that ships has this name; rename the file")
    return dict(sorted({**own, **shipped}.items()))


def list_set_names(root: Path = Path()) -> list[str]:
    """Return the sorted names of the project's sets and of those that ship."""
    return list(list_set_files(root))
