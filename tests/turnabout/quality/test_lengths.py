"""Lengths: the bias told, and pairs that length alone tells apart."""

import pytest

from tests.turnabout.quality.conftest import Build, reasons
from turnabout.quality.lengths import length_bias, of_like_length
from turnabout.stats.estimate import Bootstrap


def test_a_pair_goes_where_one_side_has_more_than_so_many_times_the_other(pairs: Build) -> None:
    built = pairs(("a", "x" * 8, "x" * 2), ("b", "x" * 2, "x" * 9), ("c", "x" * 9, None))
    assert reasons(of_like_length(built, 4.0)) == {"a": None, "b": "lengths too far apart", "c": None}


def test_a_pair_that_was_dropped_before_keeps_its_first_reason(pairs: Build) -> None:
    built = pairs(("a", "x" * 9, "x", {"keep": False, "reason": "small margin"}))
    assert reasons(of_like_length(built, 4.0)) == {"a": "small margin"}


def test_the_bias_is_how_often_the_chosen_reply_is_longer(pairs: Build) -> None:
    built = pairs(
        ("a", "xxxx", "x"),
        ("b", "xx", "x"),
        ("c", "x", "xx"),
        ("d", "xx", "yy"),
        ("e", "x", None),
        ("f", "x", "xxx", {"keep": False, "reason": "empty"}),
    )
    bias = length_bias(built, Bootstrap(200, seed=1))
    # longer, longer, shorter, equal: (1 + 1 + 0 + 1/2) / 4; differences 3, 1, −1, 0
    assert (bias["chosen_is_longer"]["value"], bias["chosen_is_longer"]["n"]) == (pytest.approx(0.625), 4)
    assert bias["median_difference"] == 0.5


def test_no_pair_has_no_bias(pairs: Build) -> None:
    bias = length_bias(pairs(), Bootstrap(10, seed=1))
    assert (bias["chosen_is_longer"]["value"], bias["median_difference"]) == (None, None)
    assert bias["chosen_is_longer"]["reason"] == "nothing to measure"
