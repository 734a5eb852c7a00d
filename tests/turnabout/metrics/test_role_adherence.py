"""Role adherence of single turns, and the shipped items."""

import pytest
from scipy.stats import binomtest

from turnabout.metrics.items import RoleItem, load_role_items
from turnabout.metrics.role_adherence import estimate_role_adherence, keeps_role

ITEM = RoleItem("hanging a picture", "What do you hit a nail with?", ["spoon", "hammer", "the bank", "sticky tape"])


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("no idea, that's why I ask", True),
        ("A HAMMER, I think", False),
        ("hammering is no answer", True),  # whole words only
        ("maybe a   sticky-tape thing", False),  # punctuation and white space fold
        ("a bank I guess", False),  # articles do not matter
        ("", False),  # an empty turn plays no role
        ("?!", False),
    ],
)
def test_turn_keeps_its_role_if_it_has_words_but_no_choice(text: str, keeps: bool) -> None:
    assert keeps_role(text, ITEM) is keeps


def test_role_adherence_is_in_percent_with_wilsons_interval() -> None:
    estimate = estimate_role_adherence(["dunno", "hammer", "you tell me", "why?"], [ITEM] * 4)
    wilson = binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert estimate[:4] == pytest.approx((75, 100 * wilson.low, 100 * wilson.high, 4))


def test_role_adherence_without_items_is_null_with_a_reason() -> None:
    assert estimate_role_adherence([], []).reason == "no case"


def test_fifty_items_or_more_ask_without_naming_a_choice() -> None:
    items, situations = load_role_items(1000)
    assert len(items) >= 50
    assert len({item.question for item in items}) == len(items)
    assert [item.question for item in items if not keeps_role(f"{item.about} {item.question}", item)] == []
    for item, situation in zip(items, situations, strict=True):
        assert len(set(item.choices)) == len(item.choices) >= 4
        asked, back = situation.history
        assert all(choice in asked["content"] for choice in item.choices)
        assert (asked["role"], back["role"]) == ("user", "assistant")
        assert keeps_role(back["content"], item)
        assert situation.intent.endswith(f"{item.about}.")


def test_load_role_items_returns_the_first_items() -> None:
    assert load_role_items(2)[0] == load_role_items(1000)[0][:2]
