"""Reward-augmented pairs: two goals per pair, and refused arms."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.preferences.reward_augmented import MAX_SCORE, RewardAugmented, add_goal

ASKED: list[Message] = [{"role": "user", "content": "Open when?"}]


def pair(name: str, r_chosen: float | None, r_rejected: float | None, **columns: Any) -> dict[str, Any]:
    known = {
        "pair_id": name,
        "conversation_id": name,
        "reply_index": 1,
        "split": "train",
        "prompt": ASKED,
        "weight": 0.5,
    }
    sides = {"chosen": "at nine", "rejected": "no idea", "r_chosen": r_chosen, "r_rejected": r_rejected, "keep": True}
    return {**dict.fromkeys(schemas.PAIRS), **known, **sides, **columns}


@pytest.fixture
def augmented(make_context: MakeContext) -> Callable[..., pl.DataFrame]:
    def build(*rows: dict[str, Any]) -> pl.DataFrame:
        return RewardAugmented(arm="ratings").build_pairs(
            make_context(extra_input=pl.DataFrame(rows, schema=schemas.PAIRS))
        )

    return build


def test_each_goal_prefers_the_side_that_has_its_score(augmented: Callable[..., pl.DataFrame]) -> None:
    # Ends of the scale: 1 star is 1, 5 stars are 10; 3 stars are 1 + 9·(3 − 1)/(5 − 1) = 5.5, rounded to the even 6.
    built = augmented(pair("a", 5.0, 1.0), pair("b", 5.0, 3.0))
    columns = ["pair_id", "chosen", "rejected", "r_chosen", "r_rejected", "margin", "keep"]
    assert built.select(columns).rows() == [
        ("reward_augmented:a:chosen", "at nine", "no idea", 0.0, -81.0, 81.0, True),
        ("reward_augmented:a:rejected", "no idea", "at nine", 0.0, -81.0, 81.0, True),
        ("reward_augmented:b:chosen", "at nine", "no idea", 0.0, -16.0, 16.0, True),
        ("reward_augmented:b:rejected", "no idea", "at nine", 0.0, -16.0, 16.0, True),
    ]
    goals = [prompt[0]["content"] for prompt in built["prompt"].to_list()]
    assert all(f"scored {goal} on" in text for goal, text in zip((10, 1, 10, 6), goals, strict=True))
    assert [prompt[1:] for prompt in built["prompt"].to_list()] == [ASKED] * 4
    assert built["weight"].to_list() == [0.5] * 4


def test_measures_of_the_other_arms_pair_are_not_copied(augmented: Callable[..., pl.DataFrame]) -> None:
    measured = {"strength_mean": 1.0, "strength_std": 0.1, "ches": -2.0, "difficulty": 3.0}
    high, low = augmented(pair("a", 5.0, 1.0, rationale="It names the hour.", p_win=0.9, **measured)).to_dicts()
    assert (high["rationale"], low["rationale"]) == ("It names the hour.", None)
    assert all(row[name] is None for row in (high, low) for name in measured)
    assert (high["p_win"], low["p_win"]) == (0.9, 0.9)


def test_scores_beyond_training_are_set_to_an_end_of_the_scale(augmented: Callable[..., pl.DataFrame]) -> None:
    built = augmented(pair("a", 1.0, 0.0), pair("v", 9.0, -9.0, split="validation"))
    assert built["margin"].to_list() == [81.0] * 4  # of both: 10 against 1


def test_pair_with_equal_scaled_scores_is_dropped(augmented: Callable[..., pl.DataFrame]) -> None:
    built = augmented(pair("a", 100.0, 0.0), pair("b", 50.1, 50.0))
    assert built["reason"].to_list() == [None, None, "same score", "same score"]
    assert augmented(pair("a", 1.0, 1.0))["reason"].to_list() == ["same score"] * 2
    assert augmented(pair("a", 0.0, 1.0))["reason"].to_list() == ["score against the pair"] * 2


def test_side_with_a_prompt_of_its_own_keeps_it(augmented: Callable[..., pl.DataFrame]) -> None:
    other: list[Message] = [{"role": "user", "content": "Closed when?"}]
    high, low = augmented(pair("a", 5.0, 1.0, rejected_prompt=other)).to_dicts()
    assert (high["prompt"], high["rejected_prompt"]) == (add_goal(ASKED, 10), add_goal(other, 10))
    assert (low["prompt"], low["rejected_prompt"]) == (add_goal(other, 1), add_goal(ASKED, 1))


def test_dropped_pair_of_the_other_arm_is_not_augmented(augmented: Callable[..., pl.DataFrame]) -> None:
    assert augmented(pair("a", 5.0, None, keep=False, reason="tie")).is_empty()
    assert augmented().schema == schemas.PAIRS


def test_arm_without_scores_of_both_sides_is_refused_by_name(augmented: Callable[..., pl.DataFrame]) -> None:
    with pytest.raises(
        DataError, match=r"1 of 2 pairs of arm 'ratings' lack a score .* such as ratings, repair or joint"
    ):
        augmented(pair("a", 5.0, 1.0), pair("b", 5.0, None))
    with pytest.raises(DataError, match="1 of 1 pairs"):
        augmented(pair("a", 5.0, 1.0, rejected=None))


def test_goal_precedes_an_existing_system_message() -> None:
    (system, user) = add_goal([{"role": "system", "content": "Be kind."}, *ASKED], MAX_SCORE)
    assert system["content"].startswith("Write a reply that would be scored 10 on a scale from 1 to 10.")
    assert system["content"].endswith("\n\nBe kind.")
    assert user == ASKED[0]


def test_rule_reads_the_pairs_of_the_named_arm() -> None:
    assert RewardAugmented(arm="ratings").reads == "data/pairs/ratings.parquet"
