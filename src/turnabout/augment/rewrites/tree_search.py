"""Tree search from a criticised reply to a refinement judged correct.

This is the search of SPaR (Cheng et al. 2024, arXiv 2412.11605). It holds no model: its caller takes the nodes to
refine, judges their refinements and adds them, so that the searches of many replies can advance in parallel.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from turnabout.augment.rewrites.rewriting import Rewrite

Order = Literal["bfs", "dfs"]


class SearchNode(NamedTuple):
    """One refinement of the tree.

    The root, at depth 0, is the criticised reply. A node with a fault is not refined.
    """

    rewrite: Rewrite
    depth: int
    correct: bool = False

    @property
    def score(self) -> float:
        """The judge's score; -1, below every other one, where there is none."""
        return -1.0 if self.rewrite.vote is None else self.rewrite.vote.score


class TreeSearch:
    """The search from one criticised reply.

    Each node is refined `width` times, at most `depth` refinements deep. Breadth first (`bfs`) refines the `width` best
    nodes of a level together. Depth first (`dfs`) refines the best of the newest nodes, and returns to earlier ones
    when a branch ends.
    """

    def __init__(self, reply: str, order: Order, width: int, depth: int) -> None:
        self.order = order
        self.width = width
        self.depth = depth
        self.seen: list[SearchNode] = []
        self._waiting = [SearchNode(Rewrite(reply, None, None), 0)]

    def take_next(self) -> list[SearchNode]:
        """Return the nodes to refine now, each `width` times.

        There are none once a node is correct or all have been refined.
        """
        if any(node.correct for node in self.seen):
            return []
        n_taken = len(self._waiting) if self.order == "bfs" else 1
        taken = self._waiting[:n_taken]
        self._waiting = self._waiting[n_taken:]
        return taken

    def add_children(self, children: Iterable[SearchNode]) -> None:
        """Add the refinements of the nodes that `take_next` returned."""
        nodes = list(children)
        self.seen += nodes
        refinable = [node for node in nodes if node.rewrite.fault is None and node.depth < self.depth]
        ranked = sorted(refinable, key=lambda node: -node.score)
        self._waiting = (ranked[: self.width] if self.order == "bfs" else ranked) + self._waiting

    def select_best(self) -> SearchNode:
        """Return the best node.

        Correct nodes rank first, then those with a higher score, then earlier ones.
        """
        return max(self.seen, key=lambda node: (node.correct, node.score))


def max_nodes(order: Order, width: int, depth: int) -> int:
    """Return the most refinements that one search draws.

    Breadth first continues from `width` nodes of a level, depth first from all.
    """
    if order == "bfs":
        return width + (depth - 1) * width**2
    return sum(int(width**level) for level in range(1, depth + 1))
