"""Test of the placeholder generator."""

import pytest

from turnabout.errors import ConfigError
from turnabout.generation.base import Sampling
from turnabout.generation.unopened import UNOPENED


def test_unopened_generator_explains_the_mistake() -> None:
    with pytest.raises(ConfigError, match="must name it in its `needs`"):
        UNOPENED.generate([], Sampling(1))
    with pytest.raises(ConfigError, match="must name it in its `needs`"):
        UNOPENED.score([], [])
