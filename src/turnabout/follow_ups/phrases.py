"""The follow-ups that stand for satisfaction and dissatisfaction, read from the file beside this one."""

from pathlib import Path
from typing import NamedTuple

import yaml

from turnabout.errors import ConfigError

_FILE = Path(__file__).with_name("phrases.yaml")


class Phrases(NamedTuple):
    """What satisfied and what dissatisfied people say next, and the version of the wording."""

    positive: list[str]
    negative: list[str]
    version: int


def load_phrases(per_dimension: int) -> Phrases:
    """The first `per_dimension` follow-ups of each sign in every dimension; as many positive as negative ones."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    dimensions = content["dimensions"].values()
    most = min(len(texts) for dimension in dimensions for texts in dimension.values())
    if not 1 <= per_dimension <= most:
        raise ConfigError(f"phrases_per_dimension: {per_dimension} came, the phrases allow 1 to {most}")
    positive, negative = (
        [text for dimension in dimensions for text in dimension[sign][:per_dimension]]
        for sign in ("positive", "negative")
    )
    return Phrases(positive, negative, content["version"])
