"""Tree search from a criticised reply through refinements of refinements to one that is judged correct (SPaR).

Cheng et al. 2024 (arXiv 2412.11605). The search holds no model: who drives it asks for the nodes to refine, judges what
came of them and hands it back, so that the searches of many replies go on side by side.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from turnabout.augment.rewrites.rewriting import Rewrite

Order = Literal["bfs", "dfs"]


class Node(NamedTuple):
    """One refinement of the tree; the root, at depth 0, is the criticised reply. A node with a fault leads nowhere."""

    rewrite: Rewrite
    depth: int
    correct: bool = False

    @property
    def score(self) -> float:
        """The judge's score; below every other one where it has none."""
        return -1.0 if self.rewrite.value is None else self.rewrite.value.score


class TreeSearch:
    """The search from one criticised reply: each node is refined `width` times, at most `depth` refinements deep.

    Breadth first (`bfs`) refines the `width` best nodes of a level together; depth first (`dfs`) refines the best of
    the newest nodes, and goes back to those before them when it leads nowhere.
    """

    def __init__(self, reply: str, order: Order, width: int, depth: int) -> None:
        self.order = order
        self.width = width
        self.depth = depth
        self.seen: list[Node] = []
        self._waiting = [Node(Rewrite(reply, None, None), 0)]

    def next(self) -> list[Node]:
        """The nodes to refine now, each `width` times; none once a correct one is found or all have been refined."""
        if any(node.correct for node in self.seen):
            return []
        n_taken = len(self._waiting) if self.order == "bfs" else 1
        taken = self._waiting[:n_taken]
        self._waiting = self._waiting[n_taken:]
        return taken

    def grow(self, children: Iterable[Node]) -> None:
        """Take in what came of the nodes of `next`."""
        found = list(children)
        self.seen += found
        further = [node for node in found if node.rewrite.fault is None and node.depth < self.depth]
        ranked = sorted(further, key=lambda node: -node.score)
        self._waiting = (ranked[: self.width] if self.order == "bfs" else ranked) + self._waiting

    def best(self) -> Node:
        """The node to answer with: a correct one before others, then by score, the first of equals."""
        return max(self.seen, key=lambda node: (node.correct, node.score))


def most_nodes(order: Order, width: int, depth: int) -> int:
    """Most refinements one search draws: breadth first goes on from `width` nodes a level, depth first from all."""
    if order == "bfs":
        return width + (depth - 1) * width**2
    return sum(int(width**level) for level in range(1, depth + 1))
