"""The tree search of refinements: its order, its end and its result."""

from collections.abc import Sequence

import pytest

from turnabout.augment.complaint_votes import VoteResult
from turnabout.augment.rewrites.rewriting import Rewrite
from turnabout.augment.rewrites.tree_search import Order, SearchNode, TreeSearch, max_nodes


def build_node(text: str, depth: int, score: float | None, correct: bool = False) -> SearchNode:
    """Return a judged node; one without a score has a fault."""
    rewrite = Rewrite(text, None, "empty") if score is None else Rewrite(text, VoteResult(score, correct), None)
    return SearchNode(rewrite, depth, correct)


def list_texts(nodes: Sequence[SearchNode]) -> list[str]:
    return [node.rewrite.text for node in nodes]


def test_tree_search_refines_the_criticised_reply_first() -> None:
    (root,) = TreeSearch("bad", "bfs", 2, 2).take_next()
    assert (root.rewrite.text, root.depth) == ("bad", 0)


def test_breadth_first_refines_the_best_nodes_of_a_level_together() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.take_next()
    search.add_children(
        [build_node("a", 1, 0.1), build_node("b", 1, 0.4), build_node("c", 1, 0.3), build_node("d", 1, None)]
    )
    assert list_texts(search.take_next()) == ["b", "c"]


def test_depth_first_returns_to_siblings_when_a_branch_ends() -> None:
    search = TreeSearch("bad", "dfs", 2, 2)
    search.take_next()
    search.add_children([build_node("a", 1, 0.1), build_node("b", 1, 0.4)])
    assert list_texts(search.take_next()) == ["b"]
    search.add_children([build_node("b1", 2, 0.2), build_node("b2", 2, 0.2)])
    assert list_texts(search.take_next()) == ["a"]
    search.add_children([build_node("a1", 2, None), build_node("a2", 2, 0.3)])
    assert search.take_next() == []
    assert search.select_best().rewrite.text == "b"


def test_tree_search_ends_with_a_correct_node_before_a_higher_score() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.take_next()
    search.add_children([build_node("a", 1, 0.9), build_node("b", 1, 0.6, correct=True)])
    assert search.take_next() == []
    assert search.select_best().rewrite.text == "b"


def test_faulty_node_is_selected_only_when_all_have_a_fault() -> None:
    search = TreeSearch("bad", "bfs", 2, 3)
    search.take_next()
    search.add_children([build_node("a", 1, None), build_node("b", 1, None)])
    assert search.take_next() == []
    assert search.select_best().rewrite.text == "a"
    search.add_children([build_node("c", 1, 0.0)])
    assert search.select_best().rewrite.text == "c"


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@pytest.mark.parametrize(("width", "depth"), [(1, 4), (2, 3), (3, 2), (5, 1)])
def test_unsuccessful_search_draws_max_nodes(order: Order, width: int, depth: int) -> None:
    search = TreeSearch("bad", order, width, depth)
    while parents := search.take_next():
        search.add_children([build_node("x", parent.depth + 1, 0.1) for parent in parents for _ in range(width)])
    assert len(search.seen) == max_nodes(order, width, depth)
