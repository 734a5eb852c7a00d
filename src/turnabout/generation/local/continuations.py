"""Log-probabilities of given continuations of given prompts.

Each shared prefix is computed once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from turnabout.models.token_tree import TokenTree, compute_node_logps

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

#: Maximum number of tokens of a tree that several prompts with a common prefix share: the cost of attention grows with
#: the square of a tree's size.
MAX_NODES = 1024


class Branch(NamedTuple):
    """The continuations of one prompt in a tree.

    The index of the tree, and the nodes of each continuation's tokens.
    """

    tree: int
    nodes: list[list[int]]


def compute_continuation_logps(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    *,
    batch_size: int,
    desc: str,
) -> "list[list[NDArray[np.float32]]]":
    """Return log P of every token of each continuation, in nats.

    The result is shaped like `continuations`, whose first level has one entry per prompt. Prompts and continuations are
    token ids; no prompt may be empty.
    """
    trees, branches = _build_trees(prompts, continuations)
    target_nodes: list[set[int]] = [set() for _ in trees]
    for branch in branches:
        for nodes in branch.nodes:
            target_nodes[branch.tree].update(nodes)
    ordered = [sorted(nodes) for nodes in target_nodes]
    logps = compute_node_logps(model, trees, ordered, batch_size=batch_size, desc=desc)
    results = []
    for branch in branches:
        tree_logps, tree_nodes = logps[branch.tree], ordered[branch.tree]
        results.append([tree_logps[np.searchsorted(tree_nodes, nodes)] for nodes in branch.nodes])
    return results


def _build_trees(
    prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[Sequence[int]]]
) -> tuple[list[TokenTree], list[Branch]]:
    """Return trees of prompts and continuations, and a branch per prompt.

    Branches are in the order of the prompts. Prompts are added in the order of their tokens, so that prompts with the
    same prefix come together.
    """
    trees: list[TokenTree] = []
    branches: dict[int, Branch] = {}
    for i in sorted(range(len(prompts)), key=lambda i: (prompts[i], i)):
        prompt, n_after = prompts[i], sum(map(len, continuations[i]))
        n_shared = trees[-1].count_shared(prompt) if trees else 0
        if not trees or 2 * n_shared < len(prompt) or len(trees[-1]) + len(prompt) - n_shared + n_after > MAX_NODES:
            trees.append(TokenTree())
        end = trees[-1].add(prompt)[-1]
        branches[i] = Branch(len(trees) - 1, [trees[-1].add(tokens, end) for tokens in continuations[i]])
    return trees, [branches[i] for i in range(len(prompts))]
