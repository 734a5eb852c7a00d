"""Choosing follow-ups: areas under the curve counted by hand."""

import numpy as np
import pytest
import yaml

from turnabout.errors import DataError
from turnabout.follow_ups import Phrases
from turnabout.follow_ups.phrases import Dimensions
from turnabout.follow_ups.selection import format_set, select_phrases, measure_discrimination

PHRASES = Phrases(["good", "fine"], ["bad", "meh"], 1)
SATISFIED = [True, True, False, False]


def test_a_follow_up_is_as_good_as_the_pairs_of_replies_it_sorts() -> None:
    # Every row has the mean 0, so nothing is taken away. Of the four pairs of a satisfying and another reply,
    # "good" sorts four right and "fine" three; "bad" is likelier after the dissatisfying one in four, "meh" in one.
    logps = np.array([[3.0, 1.0, -6.0, 2.0], [2.0, 4.0, -7.0, 1.0], [-2.0, 2.0, 1.0, -1.0], [-3.0, 0.0, 1.5, 1.5]])
    found = measure_discrimination(logps, SATISFIED, PHRASES)
    assert found == {"good": 1.0, "fine": 0.75, "bad": 1.0, "meh": 0.25}


def test_a_reply_after_which_everything_is_a_surprise_counts_for_nothing() -> None:
    logps = np.array([[3.0, 1.0, -6.0, 2.0], [2.0, 4.0, -7.0, 1.0], [-2.0, 2.0, 1.0, -1.0], [-3.0, 0.0, 1.5, 1.5]])
    surprise = np.array([[-50.0], [0.0], [-9.0], [-70.0]])
    assert measure_discrimination(logps + surprise, SATISFIED, PHRASES) == measure_discrimination(logps, SATISFIED, PHRASES)


def test_replies_of_one_kind_cannot_choose() -> None:
    with pytest.raises(DataError, match="all of the 2 judged replies are of one kind"):
        measure_discrimination(np.zeros((2, 4)), [True, True], PHRASES)


def test_the_best_of_every_dimension_and_sign_are_kept_the_best_first() -> None:
    dimensions: Dimensions = {
        "one": {"positive": ["a", "b", "c"], "negative": ["d", "e", "f"]},
        "two": {"positive": ["g", "h", "i"], "negative": ["j", "k", "l"]},
    }
    found = dict.fromkeys("abcdefghijkl", 0.5) | {"c": 0.9, "e": 0.6, "d": 0.4, "l": 0.8, "g": 0.1}
    kept = select_phrases(dimensions, found, 2)
    assert kept == {
        "one": {"positive": ["c", "a"], "negative": ["e", "f"]},
        "two": {"positive": ["h", "i"], "negative": ["l", "j"]},
    }
    text = format_set(kept, 3, "Chosen.")
    assert text.startswith("# Chosen.\n")
    assert yaml.safe_load(text) == {"version": 3, "dimensions": kept}
