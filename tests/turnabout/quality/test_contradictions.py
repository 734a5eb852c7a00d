"""Contradictions: who stays, who goes, and what only looks like one."""

from tests.turnabout.quality.conftest import Build, reasons
from turnabout.quality.contradictions import without_contradictions


def against(pair_id: str) -> str:
    return f"contradiction: {pair_id} prefers the opposite"


def test_the_heavier_direction_stays_and_the_other_names_a_pair_of_it(pairs: Build) -> None:
    built = pairs(
        ("a", "Yes, do!", "No.", {"weight": 0.7}),
        ("b", "no", "yes do", {"weight": 0.6}),
        ("c", "No?", "Yes do", {"weight": 0.2}),
    )
    # yes over no: 0.7; no over yes: 0.6 + 0.2
    assert reasons(without_contradictions(built)) == {"a": against("b"), "b": None, "c": None}


def test_of_equally_heavy_ones_both_go(pairs: Build) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes"))
    assert reasons(without_contradictions(built)) == {"a": against("b"), "b": against("a")}


def test_other_prompts_other_splits_and_chains_of_preference_do_not_contradict(pairs: Build) -> None:
    built = pairs(
        ("a", "yes", "no"),
        ("b", "no", "yes", {"prompt": [{"role": "user", "content": "bye"}]}),
        ("c", "no", "yes", {"split": "validation"}),
        ("d", "maybe", "yes"),  # maybe over yes over no: an order
        ("e", "no", "yes", {"keep": False, "reason": "small margin"}),
        ("f", "no", None),
        ("g", "no", "yes", {"rejected_prompt": [{"role": "user", "content": "hi"}]}),
    )
    left = without_contradictions(built)
    assert left.filter("keep")["pair_id"].to_list() == ["a", "b", "c", "d", "f", "g"]
    assert reasons(left)["e"] == "small margin"


def test_the_role_of_who_asked_is_part_of_the_prompt(pairs: Build) -> None:
    built = pairs(("a", "yes", "no"), ("b", "no", "yes", {"prompt": [{"role": "system", "content": "hi"}]}))
    assert reasons(without_contradictions(built)) == {"a": None, "b": None}
