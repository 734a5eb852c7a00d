"""Selection of follow-ups, with AUCs counted by hand."""

import numpy as np
import pytest
import yaml

from turnabout.errors import DataError
from turnabout.follow_ups import Phrases
from turnabout.follow_ups.phrases import Dimensions
from turnabout.follow_ups.selection import format_set, measure_discrimination, select_phrases

PHRASES = Phrases(["good", "fine"], ["bad", "meh"], 1)
SATISFIED = [True, True, False, False]


def test_auc_is_the_share_of_pairs_that_a_follow_up_sorts() -> None:
    # Every row has the mean 0, so nothing is subtracted. Of the four pairs of a satisfying and another reply,
    # "good" sorts four right and "fine" three; "bad" is likelier after the dissatisfying one in four, "meh" in one.
    logps = np.array([[3.0, 1.0, -6.0, 2.0], [2.0, 4.0, -7.0, 1.0], [-2.0, 2.0, 1.0, -1.0], [-3.0, 0.0, 1.5, 1.5]])
    auc_by_phrase = measure_discrimination(logps, SATISFIED, PHRASES)
    assert auc_by_phrase == {"good": 1.0, "fine": 0.75, "bad": 1.0, "meh": 0.25}


def test_mean_of_a_reply_does_not_change_the_auc() -> None:
    logps = np.array([[3.0, 1.0, -6.0, 2.0], [2.0, 4.0, -7.0, 1.0], [-2.0, 2.0, 1.0, -1.0], [-3.0, 0.0, 1.5, 1.5]])
    surprise = np.array([[-50.0], [0.0], [-9.0], [-70.0]])
    assert measure_discrimination(logps + surprise, SATISFIED, PHRASES) == measure_discrimination(
        logps, SATISFIED, PHRASES
    )


def test_replies_of_one_kind_are_refused() -> None:
    with pytest.raises(DataError, match="all of the 2 judged replies are of one kind"):
        measure_discrimination(np.zeros((2, 4)), [True, True], PHRASES)


def test_best_of_every_dimension_and_sign_are_selected_in_order() -> None:
    dimensions: Dimensions = {
        "one": {"positive": ["a", "b", "c"], "negative": ["d", "e", "f"]},
        "two": {"positive": ["g", "h", "i"], "negative": ["j", "k", "l"]},
    }
    auc_by_phrase = dict.fromkeys("abcdefghijkl", 0.5) | {"c": 0.9, "e": 0.6, "d": 0.4, "l": 0.8, "g": 0.1}
    selected = select_phrases(dimensions, auc_by_phrase, 2)
    assert selected == {
        "one": {"positive": ["c", "a"], "negative": ["e", "f"]},
        "two": {"positive": ["h", "i"], "negative": ["l", "j"]},
    }
    text = format_set(selected, 3, "Chosen.")
    assert text.startswith("# Chosen.\n")
    assert yaml.safe_load(text) == {"version": 3, "dimensions": selected}
