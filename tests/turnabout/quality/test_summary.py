"""The metrics of pairs: the length bias.

Counts and reasons are tested with the screening.
"""

import pytest

from tests.turnabout.quality.conftest import Build
from turnabout.quality.summary import measure_length_bias
from turnabout.stats.estimate import Bootstrap


def test_length_bias_is_how_often_the_chosen_reply_is_longer(pairs: Build) -> None:
    built = pairs(
        ("a", "xxxx", "x"),
        ("b", "xx", "x"),
        ("c", "x", "xx"),
        ("d", "xx", "yy"),
        ("e", "x", None),
        ("f", "x", "xxx", {"keep": False, "reason": "empty"}),
    )
    bias = measure_length_bias(built, Bootstrap(resamples=200, seed=1))
    # longer, longer, shorter, equal: (1 + 1 + 0 + 1/2) / 4; differences 3, 1, −1, 0
    assert (bias["chosen_is_longer"]["value"], bias["chosen_is_longer"]["n"]) == (pytest.approx(0.625), 4)
    assert bias["median_difference"] == 0.5


def test_length_bias_of_no_pairs_is_null_with_a_reason(pairs: Build) -> None:
    bias = measure_length_bias(pairs(), Bootstrap(resamples=10, seed=1))
    assert (bias["chosen_is_longer"]["value"], bias["median_difference"]) == (None, None)
    assert bias["chosen_is_longer"]["reason"] == "nothing to measure"
