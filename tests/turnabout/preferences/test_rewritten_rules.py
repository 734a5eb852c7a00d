"""Refined and hindsight pairs: the augmenter's words against the criticised reply, with the augmenter's own measure."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.preferences import RuleContext, Rule
from turnabout.preferences.hindsight import Hindsight
from turnabout.preferences.refined import Refined

SCHEMAS = {"refined": schemas.REFINEMENTS, "hindsight": schemas.HINDSIGHTS}


def table(column: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of the augmenter's table, complete but for what is given."""
    usual = {"reply_index": 1, "score": 0.75, "score_before": 0.25, "kept": True}
    rewritten = [{**dict.fromkeys(SCHEMAS[column]), **usual, column: "we open at nine", **row} for row in rows]
    return pl.DataFrame(rewritten, schema=SCHEMAS[column])


@pytest.mark.parametrize("rule", [Refined(), Hindsight()])
def test_the_rewriting_is_chosen_and_the_criticised_reply_rejected(
    material: Callable[..., RuleContext], rule: Rule
) -> None:
    built = rule.build_pairs(material(reads=table(rule.rule, {"conversation_id": "a"}, {"conversation_id": "b"})))
    assert built.schema == schemas.PAIRS
    assert built.select("pair_id", "split", "chosen", "rejected", "evidence", "weight", "keep").rows() == [
        (f"{rule.rule}:a:1", "train", "we open at nine", "nice shop", "I asked when", 0.8, True),
        (f"{rule.rule}:b:1", "validation", "we open at nine", "nice shop", "I asked when", 0.8, True),
    ]
    assert built.select("r_chosen", "r_rejected", "margin").unique().rows() == [(0.75, 0.25, 0.5)]
    assert [m["content"] for m in built["prompt"][0]] == ["open when?"]  # nothing of what came later


@pytest.mark.parametrize("rule", [Refined(), Hindsight()])
def test_conversations_of_the_test_split_and_replies_nobody_rewrote_give_no_pair(
    material: Callable[..., RuleContext], rule: Rule
) -> None:
    built = rule.build_pairs(material(reads=table(rule.rule, {"conversation_id": "c"})))
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
def test_what_the_augmenter_dropped_is_a_dropped_pair(
    material: Callable[..., RuleContext], row: dict[str, Any], reason: str
) -> None:
    built = Refined().build_pairs(material(reads=table("refined", {"conversation_id": "a", **row})))
    assert built.select("keep", "reason").rows() == [(False, reason)]


def test_the_smallest_edit_that_tree_search_found_is_a_pair(material: Callable[..., RuleContext]) -> None:
    built = Refined().build_pairs(
        material(reads=table("refined", {"conversation_id": "a", "refined": "nice shop!", "method": "spar"}))
    )
    assert built["keep"].to_list() == [True]


def test_the_critique_a_refinement_acted_on_is_the_rationale(material: Callable[..., RuleContext]) -> None:
    critique = "It names no hour."
    built = Refined().build_pairs(material(reads=table("refined", {"conversation_id": "a", "critique": critique})))
    assert built["rationale"].to_list() == [critique]
