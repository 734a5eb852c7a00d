"""Refined and hindsight pairs: the rewrite against the criticised reply."""

from typing import Any

import polars as pl
import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core import schemas
from turnabout.preferences import Rule
from turnabout.preferences.hindsight import Hindsight
from turnabout.preferences.refined import Refined

SCHEMAS = {"refined": schemas.REFINEMENTS, "hindsight": schemas.HINDSIGHTS}


def build_table(column: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows of the augmenter's table, with usual values by default."""
    usual = {"reply_index": 1, "score": 0.75, "score_before": 0.25, "kept": True}
    rewritten = [{**dict.fromkeys(SCHEMAS[column]), **usual, column: "we open at nine", **row} for row in rows]
    return pl.DataFrame(rewritten, schema=SCHEMAS[column])


@pytest.mark.parametrize("rule", [Refined(), Hindsight()])
def test_rewrite_is_chosen_over_the_criticised_reply(make_context: MakeContext, rule: Rule) -> None:
    built = rule.build_pairs(
        make_context(extra_input=build_table(rule.rule, {"conversation_id": "a"}, {"conversation_id": "b"}))
    )
    assert built.schema == schemas.PAIRS
    assert built.select("pair_id", "split", "chosen", "rejected", "evidence", "weight", "keep").rows() == [
        (f"{rule.rule}:a:1", "train", "we open at nine", "nice shop", "I asked when", 0.8, True),
        (f"{rule.rule}:b:1", "validation", "we open at nine", "nice shop", "I asked when", 0.8, True),
    ]
    assert built.select("r_chosen", "r_rejected", "margin").unique().rows() == [(0.75, 0.25, 0.5)]
    assert [m["content"] for m in built["prompt"][0]] == ["open when?"]  # nothing that was said later


@pytest.mark.parametrize("rule", [Refined(), Hindsight()])
def test_held_out_and_unrewritten_replies_give_no_pair(make_context: MakeContext, rule: Rule) -> None:
    built = rule.build_pairs(make_context(extra_input=build_table(rule.rule, {"conversation_id": "c"})))
    assert (built.height, built.schema) == (0, schemas.PAIRS)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kept": False, "reason": "no better"}, "no better"),
        ({"refined": None, "score": None, "kept": False, "reason": "cut off"}, "cut off"),
        ({"refined": "Nice shop!"}, "near-identical"),
        ({"refined": "Nice shop", "method": "spar"}, "near-identical"),
    ],
)
def test_rewrite_that_the_augmenter_dropped_is_a_dropped_pair(
    make_context: MakeContext, row: dict[str, Any], reason: str
) -> None:
    built = Refined().build_pairs(make_context(extra_input=build_table("refined", {"conversation_id": "a", **row})))
    assert built.select("keep", "reason").rows() == [(False, reason)]


def test_smallest_edit_of_tree_search_is_a_pair(make_context: MakeContext) -> None:
    built = Refined().build_pairs(
        make_context(
            extra_input=build_table("refined", {"conversation_id": "a", "refined": "nice shop!", "method": "spar"})
        )
    )
    assert built["keep"].to_list() == [True]


def test_critique_of_a_refinement_is_the_rationale(make_context: MakeContext) -> None:
    critique = "It names no hour."
    built = Refined().build_pairs(
        make_context(extra_input=build_table("refined", {"conversation_id": "a", "critique": critique}))
    )
    assert built["rationale"].to_list() == [critique]
