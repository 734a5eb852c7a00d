"""Nobody: a model that was not asked for says so."""

import pytest

from turnabout.errors import ConfigError
from turnabout.generation.base import Sampling
from turnabout.generation.unopened import UNOPENED


def test_asking_a_model_that_is_not_there_names_the_mistake() -> None:
    with pytest.raises(ConfigError, match="must name it in its `needs`"):
        UNOPENED.generate([], Sampling(1))
    with pytest.raises(ConfigError, match="must name it in its `needs`"):
        UNOPENED.score([], [])
