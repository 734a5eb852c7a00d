"""Caps: which pairs of one person stay."""

from tests.turnabout.quality.conftest import Build, reasons
from turnabout.quality.caps import capped


def test_the_heaviest_pairs_of_a_person_stay_then_the_widest_margins_then_the_first(pairs: Build) -> None:
    ann = {"user_key": "ann"}
    built = pairs(
        ("a", "x", "y", ann | {"margin": 0.1}),
        ("b", "x", "y", ann | {"margin": -0.3}),
        ("c", "x", "y", ann | {"margin": 0.1}),
        ("d", "x", "y", ann | {"weight": 2.0}),
        ("e", "x", "y"),
    )
    beyond = "beyond 3 pairs of one person"
    assert reasons(capped(built, 3)) == {"a": None, "b": None, "c": beyond, "d": None, "e": None}


def test_dropped_pairs_take_no_place_and_a_nameless_conversation_is_a_person(pairs: Build) -> None:
    nobody = {"user_key": None}
    built = pairs(
        ("a", "x", "y", {"user_key": "ann", "keep": False, "reason": "empty", "weight": 9.0}),
        ("b", "x", "y", {"user_key": "ann"}),
        ("c", "x", "y", nobody),
        ("d", "x", "y", nobody),
    )
    assert reasons(capped(built, 1)) == {"a": "empty", "b": None, "c": None, "d": None}
