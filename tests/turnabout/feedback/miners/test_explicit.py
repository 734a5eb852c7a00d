"""Explicit: ratings on any scale, reactions, edits and regenerations."""

import pytest

from turnabout.core import schemas
from turnabout.core.config import convert_validation_error
from turnabout.core.conversations import EXCHANGES
from turnabout.errors import DataError
from turnabout.feedback.miners.explicit import Explicit


@pytest.mark.parametrize(
    ("scale", "rating", "score"),
    [
        ((-1, 1), 1, 1.0),
        ((-1, 1), -1, -1.0),
        ((-1, 1), 0, None),
        ((0, 1), 0, -1.0),
        ((1, 5), 5, 1.0),
        ((1, 5), 4, 0.5),  # 2 · (4 - 1)/(5 - 1) - 1
        ((1, 5), 3, None),
        ((1, 5), 2, -0.5),
        ((0, 100), 10, -0.8),
    ],
)
def test_a_rating_becomes_its_place_on_the_scale(exchange, scale, rating, score):
    found = Explicit(scale=scale).mine(exchange(rating=float(rating)))
    assert found["score"].to_list() == ([] if score is None else [pytest.approx(score)])
    assert found["label"].to_list() == ([] if score is None else ["sat" if score > 0 else "dsat"])


def test_a_signal_sits_on_the_reply_and_quotes_the_rating(exchange):
    found = Explicit().mine(exchange(rating=-1.0, follow_up="ok"))
    assert found.drop("rule").row(0) == ("c1", 1, 1, "dsat", "rating", "-1.0", -1.0, 1.0, "explicit", "3")


def test_thresholds_decide_what_a_middling_rating_says(exchange):
    three = exchange(rating=3.0)
    assert Explicit(scale=(1, 5)).mine(three).is_empty()
    assert Explicit(scale=(1, 4), sat_from=0.3).mine(three)["label"].item() == "sat"  # 2 · 2/3 - 1 = 0.33


def test_a_rating_off_the_scale_says_which_scale_to_set(exchange):
    with pytest.raises(DataError, match=r"4\.0 to 4\.0 do not fit the scale \[-1\.0, 1\.0\].*scale: \[1, 5\]"):
        Explicit().mine(exchange(rating=4.0))


def test_a_rating_that_is_no_number_says_nothing(exchange):
    assert Explicit().mine(exchange(rating=float("nan"))).is_empty()


def test_a_scale_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"\[5\.0, 1\.0\] must be \[lowest, highest\]") as caught:
        Explicit(scale=(5, 1))
    assert "scale" in str(convert_validation_error("params.yaml", caught.value))


@pytest.mark.parametrize("reaction", ["👍", "👍🏽", "❤️", ":thumbs_up:", "Thumbs Up", "thumbs-up", "LIKE", "+1", "love"])
def test_a_kind_reaction_is_satisfaction(exchange, reaction):
    found = Explicit().mine(exchange(reaction=reaction))
    assert found.select("label", "category", "span", "score").rows() == [("sat", "reaction", reaction, 1.0)]


@pytest.mark.parametrize("reaction", ["👎", "thumbs_down", "dislike", ":-1:", "Bad"])
def test_an_unkind_reaction_is_dissatisfaction(exchange, reaction):
    assert Explicit().mine(exchange(reaction=reaction))["score"].to_list() == [-1.0]


def test_an_unknown_reaction_says_nothing(exchange):
    assert Explicit().mine(exchange(reaction="🦒")).is_empty()


def test_an_edit_weighs_as_much_as_it_rewrote(exchange):
    # "abcd" to "abxy": 2 of 4 characters replaced
    found = Explicit().mine(exchange(reply="abcd", edited_text="abxy"))
    assert found.select("label", "category", "span", "score").rows() == [("dsat", "edit", "abxy", -0.5)]
    assert Explicit().mine(exchange(reply="abcd", edited_text="abcd\n")).is_empty()


def test_a_regeneration_is_a_weak_signal_unless_it_gave_the_same_reply(exchange):
    found = Explicit().mine(exchange(reply="a", alternatives=["b", "c", "a"]))
    assert found.select("label", "category", "span", "score").rows() == [
        ("dsat", "regeneration", "2 other replies", -0.5)
    ]
    assert Explicit().mine(exchange(reply="a", alternatives=["a"])).is_empty()
    assert Explicit().mine(exchange(reply="a", alternatives=[])).is_empty()


@pytest.mark.parametrize(
    ("preferences", "score"), [([1.0, -1.0, 1.0], 1 / 3), ([-1.0, None], -1.0), ([1.0, -1.0], None), ([0.0], None)]
)
def test_a_comparison_weighs_as_much_as_the_reply_was_preferred_on_average(exchange, preferences, score):
    others = [f"other {i}" for i in range(len(preferences))]
    found = Explicit().mine(exchange(alternatives=others, preferences=preferences))
    label = [] if score is None else ["sat" if score > 0 else "dsat"]
    assert found["score"].to_list() == ([] if score is None else [pytest.approx(score)])
    assert (found["label"].to_list(), found["category"].to_list()) == (label, ["preference"] * len(label))


def test_alternatives_there_to_be_compared_are_no_regeneration_even_where_nobody_did(exchange):
    assert Explicit().mine(exchange(alternatives=["b"], preferences=[None])).is_empty()
    found = Explicit().mine(exchange(alternatives=["b"], preferences=None))
    assert found["category"].to_list() == ["regeneration"]


def test_a_silent_log_gives_an_empty_table_of_signals(exchange):
    assert Explicit().mine(exchange()).schema == schemas.FEEDBACK
    assert Explicit().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
