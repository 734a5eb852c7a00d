"""The tree search of refinements: what is refined next, in which order, when it ends, and with what."""

from collections.abc import Sequence

import pytest

from turnabout.augment.complaint_votes import Value
from turnabout.augment.rewrites.rewriting import Rewrite
from turnabout.augment.rewrites.tree_search import Node, Order, TreeSearch, most_nodes


def node(text: str, depth: int, score: float | None, correct: bool = False) -> Node:
    """A judged node; one without a score has a fault."""
    judged = Rewrite(text, None, "empty") if score is None else Rewrite(text, Value(score, correct), None)
    return Node(judged, depth, correct)


def texts(nodes: Sequence[Node]) -> list[str]:
    return [each.rewrite.text for each in nodes]


def test_the_criticised_reply_is_refined_first() -> None:
    assert [(each.rewrite.text, each.depth) for each in TreeSearch("bad", "bfs", 2, 2).next()] == [("bad", 0)]


def test_breadth_first_goes_on_from_the_best_of_a_level_together() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.next()
    search.grow([node("a", 1, 0.1), node("b", 1, 0.4), node("c", 1, 0.3), node("d", 1, None)])
    assert texts(search.next()) == ["b", "c"]


def test_depth_first_goes_back_to_siblings_when_a_branch_leads_nowhere() -> None:
    search = TreeSearch("bad", "dfs", 2, 2)
    search.next()
    search.grow([node("a", 1, 0.1), node("b", 1, 0.4)])
    assert texts(search.next()) == ["b"]
    search.grow([node("b1", 2, 0.2), node("b2", 2, 0.2)])
    assert texts(search.next()) == ["a"]
    search.grow([node("a1", 2, None), node("a2", 2, 0.3)])
    assert search.next() == []
    assert search.best().rewrite.text == "b"


def test_the_search_ends_with_a_correct_node_though_another_scores_higher() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.next()
    search.grow([node("a", 1, 0.9), node("b", 1, 0.6, correct=True)])
    assert search.next() == []
    assert search.best().rewrite.text == "b"


def test_a_node_with_a_fault_leads_nowhere_and_answers_only_where_all_have_one() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.next()
    search.grow([node("a", 1, None), node("b", 1, None)])
    assert search.next() == []
    assert search.best().rewrite.text == "a"
    search.grow([node("c", 1, 0.0)])
    assert search.best().rewrite.text == "c"


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@pytest.mark.parametrize(("width", "depth"), [(1, 4), (2, 3), (3, 2), (5, 1)])
def test_a_search_that_finds_nothing_draws_as_many_as_were_told(order: Order, width: int, depth: int) -> None:
    search = TreeSearch("bad", order, width, depth)
    while taken := search.next():
        search.grow([node("x", parent.depth + 1, 0.1) for parent in taken for _ in range(width)])
    assert len(search.seen) == most_nodes(order, width, depth)
