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
def test_rating_becomes_its_position_on_the_scale(exchange, scale, rating, score):
    signals = Explicit(scale=scale).mine(exchange(rating=float(rating)))
    assert signals["score"].to_list() == ([] if score is None else [pytest.approx(score)])
    assert signals["label"].to_list() == ([] if score is None else ["sat" if score > 0 else "dsat"])


def test_signal_is_on_the_reply_and_quotes_the_rating(exchange):
    signals = Explicit().mine(exchange(rating=-1.0, follow_up="ok"))
    assert signals.drop("rule").row(0) == ("c1", 1, 1, "dsat", "rating", "-1.0", -1.0, 1.0, "explicit", "3")


def test_thresholds_decide_the_label_of_an_average_rating(exchange):
    three = exchange(rating=3.0)
    assert Explicit(scale=(1, 5)).mine(three).is_empty()
    assert Explicit(scale=(1, 4), sat_from=0.3).mine(three)["label"].item() == "sat"  # 2 · 2/3 - 1 = 0.33


def test_rating_off_the_scale_raises_with_the_scale_to_set(exchange):
    with pytest.raises(DataError, match=r"4\.0 to 4\.0 do not fit the scale \[-1\.0, 1\.0\].*scale: \[1, 5\]"):
        Explicit().mine(exchange(rating=4.0))


def test_rating_that_is_not_a_number_is_no_signal(exchange):
    assert Explicit().mine(exchange(rating=float("nan"))).is_empty()


def test_scale_with_the_highest_first_is_refused():
    with pytest.raises(ValueError, match=r"\[5\.0, 1\.0\] must be \[lowest, highest\]") as caught:
        Explicit(scale=(5, 1))
    assert "scale" in str(convert_validation_error("params.yaml", caught.value))


@pytest.mark.parametrize("reaction", ["👍", "👍🏽", "❤️", ":thumbs_up:", "Thumbs Up", "thumbs-up", "LIKE", "+1", "love"])
def test_kind_reaction_is_sat(exchange, reaction):
    signals = Explicit().mine(exchange(reaction=reaction))
    assert signals.select("label", "category", "span", "score").rows() == [("sat", "reaction", reaction, 1.0)]


@pytest.mark.parametrize("reaction", ["👎", "thumbs_down", "dislike", ":-1:", "Bad"])
def test_unkind_reaction_is_dsat(exchange, reaction):
    assert Explicit().mine(exchange(reaction=reaction))["score"].to_list() == [-1.0]


def test_unknown_reaction_is_no_signal(exchange):
    assert Explicit().mine(exchange(reaction="🦒")).is_empty()


def test_score_of_an_edit_is_the_share_rewritten(exchange):
    # "abcd" to "abxy": 2 of 4 characters replaced
    signals = Explicit().mine(exchange(reply="abcd", edited_text="abxy"))
    assert signals.select("label", "category", "span", "score").rows() == [("dsat", "edit", "abxy", -0.5)]
    assert Explicit().mine(exchange(reply="abcd", edited_text="abcd\n")).is_empty()


def test_regeneration_is_dsat_unless_it_gave_the_same_reply(exchange):
    signals = Explicit().mine(exchange(reply="a", alternatives=["b", "c", "a"]))
    assert signals.select("label", "category", "span", "score").rows() == [
        ("dsat", "regeneration", "2 other replies", -0.5)
    ]
    assert Explicit().mine(exchange(reply="a", alternatives=["a"])).is_empty()
    assert Explicit().mine(exchange(reply="a", alternatives=[])).is_empty()


@pytest.mark.parametrize(
    ("preferences", "score"), [([1.0, -1.0, 1.0], 1 / 3), ([-1.0, None], -1.0), ([1.0, -1.0], None), ([0.0], None)]
)
def test_score_of_a_comparison_is_the_mean_preference(exchange, preferences, score):
    alternatives = [f"other {i}" for i in range(len(preferences))]
    signals = Explicit().mine(exchange(alternatives=alternatives, preferences=preferences))
    label = [] if score is None else ["sat" if score > 0 else "dsat"]
    assert signals["score"].to_list() == ([] if score is None else [pytest.approx(score)])
    assert (signals["label"].to_list(), signals["category"].to_list()) == (label, ["preference"] * len(label))


def test_alternatives_with_unknown_preferences_are_no_regeneration(exchange):
    assert Explicit().mine(exchange(alternatives=["b"], preferences=[None])).is_empty()
    signals = Explicit().mine(exchange(alternatives=["b"], preferences=None))
    assert signals["category"].to_list() == ["regeneration"]


def test_log_without_judgements_gives_an_empty_table(exchange):
    assert Explicit().mine(exchange()).schema == schemas.FEEDBACK
    assert Explicit().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
